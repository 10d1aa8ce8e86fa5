/** The same algorithms by node:crypto: the server never checks its own work. */

import assert from "node:assert/strict";
import crypto from "node:crypto";
import { promisify } from "node:util";

const { constants } = crypto;
const generateKeyPair = promisify(crypto.generateKeyPair);

export const RSA_KINDS = ["RSA-2048", "RSA-3072", "RSA-4096"];
export const CURVES = { "P-256": 32, "P-384": 48, "P-521": 66, "P-256K": 32 };
export const KINDS = [...RSA_KINDS, ...Object.keys(CURVES)];
export const RSA_SIGNATURES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
export const EC_SIGNATURES = { ES256: "P-256", ES384: "P-384", ES512: "P-521", ES256K: "P-256K" };
export const ENCRYPTIONS = { "RSA-OAEP": 42, "RSA-OAEP-256": 66, RSA1_5: 11 };
export const RSA_OPERATIONS = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"];

/** Every signature algorithm with a kind of key that can do it. */
export const SIGNERS = Object.entries({
  ...Object.fromEntries(RSA_SIGNATURES.map((algorithm) => [algorithm, "RSA-2048"])),
  ...EC_SIGNATURES,
});

const hashOf = (algorithm) => `sha${algorithm.slice(2, 5)}`;

/** The digest that a signature algorithm signs for a message. */
export const digestOf = (algorithm, message) => crypto.createHash(hashOf(algorithm)).update(message).digest();

/** How node:crypto is to sign or verify: a raw `r||s` for EC, a salt of the digest's length for PSS. */
function schemeOf(algorithm, key) {
  if (algorithm.startsWith("ES")) return { key, dsaEncoding: "ieee-p1363" };
  if (algorithm.startsWith("RS")) return { key, padding: constants.RSA_PKCS1_PADDING };
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}

/** Whether a signature, as the wire carries it, is the public key's on the message. */
export function verify(algorithm, publicKey, message, signature) {
  if (algorithm in EC_SIGNATURES) assert.equal(signature.length, 2 * CURVES[EC_SIGNATURES[algorithm]]);
  return crypto.verify(hashOf(algorithm), message, schemeOf(algorithm, publicKey), signature);
}

/** A signature of a local private key, in the wire's form. */
export const sign = (algorithm, privateKey, message) =>
  crypto.sign(hashOf(algorithm), message, schemeOf(algorithm, privateKey));

function paddingOf(algorithm) {
  if (algorithm === "RSA1_5") return { padding: constants.RSA_PKCS1_PADDING };
  return { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: algorithm === "RSA-OAEP" ? "sha1" : "sha256" };
}

export const encrypt = (algorithm, publicKey, plain) =>
  crypto.publicEncrypt({ key: publicKey, ...paddingOf(algorithm) }, plain);

/** Opens a ciphertext with a local key. Node refuses PKCS #1 v1.5 here, so that padding is taken off by hand. */
export function decrypt(algorithm, privateKey, box) {
  if (algorithm !== "RSA1_5") return crypto.privateDecrypt({ key: privateKey, ...paddingOf(algorithm) }, box);
  const block = crypto.privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, box);
  assert.deepEqual([block[0], block[1]], [0, 2]);
  const end = block.indexOf(0, 2);
  assert.ok(end >= 10, "the padding has at least eight bytes");
  return block.subarray(end + 1);
}

/** A local key pair of a kind such as `RSA-2048` or `P-256K`. */
export function generate(kind) {
  if (kind.startsWith("RSA-")) return generateKeyPair("rsa", { modulusLength: Number(kind.slice(4)) });
  return generateKeyPair("ec", { namedCurve: kind === "P-256K" ? "secp256k1" : kind });
}

/** The public half that the server shows, after checking how it is written. */
export function publicOf({ kty, n, e, crv, x, y }) {
  const text = (bytes) => Buffer.from(bytes).toString("base64url");
  if (kty === "RSA") {
    assert.ok(n[0] && e[0], "n and e have no leading zero");
    return crypto.createPublicKey({ key: { kty, n: text(n), e: text(e) }, format: "jwk" });
  }
  assert.equal(kty, "EC");
  assert.deepEqual([x.length, y.length], [CURVES[crv], CURVES[crv]], "coordinates are padded to the curve's length");
  const curve = crv === "P-256K" ? "secp256k1" : crv;
  return crypto.createPublicKey({ key: { kty, crv: curve, x: text(x), y: text(y) }, format: "jwk" });
}

/** The kind of a public key, in the words of `generate`. */
export function kindOf(publicKey) {
  const { kty, crv } = publicKey.export({ format: "jwk" });
  if (kty === "RSA") return `RSA-${publicKey.asymmetricKeyDetails.modulusLength}`;
  return crv === "secp256k1" ? "P-256K" : crv;
}

/** A local private key as the import operation takes it. */
export function privateJwk(privateKey, keyOps) {
  const { kty, crv, ...members } = privateKey.export({ format: "jwk" });
  const bytes = Object.entries(members).map(([name, text]) => [name, Buffer.from(text, "base64url")]);
  const usual = kty === "RSA" ? RSA_OPERATIONS : ["sign", "verify"];
  const jwk = { kty, keyOps: keyOps ?? usual, ...Object.fromEntries(bytes) };
  return kty === "RSA" ? jwk : { ...jwk, crv: crv === "secp256k1" ? "P-256K" : crv };
}

/** The same bytes with one bit changed, at the end or where told. */
export function flip(bytes, at = bytes.length - 1) {
  const changed = Buffer.from(bytes);
  changed[at] ^= 1;
  return changed;
}
