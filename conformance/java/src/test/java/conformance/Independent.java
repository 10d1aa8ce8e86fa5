package conformance;

import com.azure.security.keyvault.keys.models.JsonWebKey;
import com.azure.security.keyvault.keys.models.KeyType;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.PublicKey;
import java.security.Security;
import java.security.Signature;
import java.security.SignatureException;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import java.security.spec.RSAPublicKeySpec;
import java.util.List;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

/** The same algorithms by the JDK, and secp256k1 by Bouncy Castle: the server never checks its own work. */
final class Independent {
    static final List<String> RSA_SIGNATURES = List.of("RS256", "RS384", "RS512", "PS256", "PS384", "PS512");
    static final List<String> ENCRYPTIONS = List.of("RSA-OAEP", "RSA-OAEP-256", "RSA1_5");
    static final List<String> CURVES = List.of("P-256", "P-384", "P-521", "P-256K");

    private static final Map<String, String> SIGNATURES_OF_CURVES =
        Map.of("P-256", "ES256", "P-384", "ES384", "P-521", "ES512", "P-256K", "ES256K");
    private static final Map<String, String> STANDARD_NAMES =
        Map.of("P-256", "secp256r1", "P-384", "secp384r1", "P-521", "secp521r1", "P-256K", "secp256k1");
    private static final Provider BOUNCY_CASTLE = new BouncyCastleProvider();

    private Independent() {
    }

    static String signatureOf(String curve) {
        return SIGNATURES_OF_CURVES.get(curve);
    }

    static ECGenParameterSpec named(String curve) {
        return new ECGenParameterSpec(STANDARD_NAMES.get(curve));
    }

    /** Who knows the curve: the JDK wherever it can. */
    static Provider providerOf(String curve) {
        return curve.equals("P-256K") ? BOUNCY_CASTLE : Security.getProvider("SunEC");
    }

    /** The length of a coordinate of the curve, in bytes. */
    static int coordinate(String curve) {
        return switch (curve) {
            case "P-384" -> 48;
            case "P-521" -> 66;
            default -> 32;
        };
    }

    private static String hash(String algorithm) {
        return "SHA-" + algorithm.substring(2, 5);
    }

    /** The digest that a signature algorithm signs. */
    static byte[] digest(String algorithm, String message) throws GeneralSecurityException {
        return MessageDigest.getInstance(hash(algorithm)).digest(message.getBytes(StandardCharsets.UTF_8));
    }

    /** The public key that the server shows, after checking how it is written. */
    static PublicKey publicKey(JsonWebKey jwk) throws GeneralSecurityException {
        if (jwk.getKeyType().equals(KeyType.RSA)) {
            assertNotEquals(0, jwk.getN()[0], "n has no leading zero");
            assertNotEquals(0, jwk.getE()[0], "e has no leading zero");
            return KeyFactory.getInstance("RSA")
                .generatePublic(new RSAPublicKeySpec(positive(jwk.getN()), positive(jwk.getE())));
        }
        assertEquals(KeyType.EC, jwk.getKeyType());
        String curve = jwk.getCurveName().toString();
        assertEquals(coordinate(curve), jwk.getX().length, "x is padded to the curve's length");
        assertEquals(coordinate(curve), jwk.getY().length, "y is padded to the curve's length");
        AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC", providerOf(curve));
        parameters.init(named(curve));
        ECPoint point = new ECPoint(positive(jwk.getX()), positive(jwk.getY()));
        return KeyFactory.getInstance("EC", providerOf(curve))
            .generatePublic(new ECPublicKeySpec(point, parameters.getParameterSpec(ECParameterSpec.class)));
    }

    private static BigInteger positive(byte[] bytes) {
        return new BigInteger(1, bytes);
    }

    /** A signature engine that reads and writes signatures as the wire carries them: EC ones as r||s. */
    private static Signature engine(String algorithm) throws GeneralSecurityException {
        String hash = hash(algorithm);
        String sha = hash.replace("-", "");
        if (algorithm.equals("ES256K")) {
            return Signature.getInstance("SHA256withPLAIN-ECDSA", BOUNCY_CASTLE);
        }
        switch (algorithm.substring(0, 2)) {
            case "RS":
                return Signature.getInstance(sha + "withRSA");
            case "ES":
                return Signature.getInstance(sha + "withECDSAinP1363Format");
            default:
                Signature pss = Signature.getInstance("RSASSA-PSS");
                int length = MessageDigest.getInstance(hash).getDigestLength();
                pss.setParameter(new PSSParameterSpec(hash, "MGF1", new MGF1ParameterSpec(hash), length, 1));
                return pss;
        }
    }

    /** Whether the signature, as the wire carries it, is the public key's on the message. */
    static boolean verifies(PublicKey key, String algorithm, String message, byte[] signature)
        throws GeneralSecurityException {
        Signature engine = engine(algorithm);
        engine.initVerify(key);
        engine.update(message.getBytes(StandardCharsets.UTF_8));
        try {
            return engine.verify(signature);
        } catch (SignatureException malformed) {
            return false;
        }
    }

    /** A signature by a local private key, in the wire's form. */
    static byte[] sign(PrivateKey key, String algorithm, String message) throws GeneralSecurityException {
        Signature engine = engine(algorithm);
        engine.initSign(key);
        engine.update(message.getBytes(StandardCharsets.UTF_8));
        return engine.sign();
    }

    static byte[] encrypt(PublicKey key, String algorithm, byte[] plain) throws GeneralSecurityException {
        return cipher(Cipher.ENCRYPT_MODE, key, algorithm).doFinal(plain);
    }

    static byte[] decrypt(PrivateKey key, String algorithm, byte[] box) throws GeneralSecurityException {
        return cipher(Cipher.DECRYPT_MODE, key, algorithm).doFinal(box);
    }

    private static Cipher cipher(int mode, Key key, String algorithm) throws GeneralSecurityException {
        if (algorithm.equals("RSA1_5")) {
            Cipher cipher = Cipher.getInstance("RSA/ECB/PKCS1Padding");
            cipher.init(mode, key);
            return cipher;
        }
        String hash = algorithm.equals("RSA-OAEP") ? "SHA-1" : "SHA-256";
        Cipher cipher = Cipher.getInstance("RSA/ECB/OAEPPadding");
        cipher.init(mode, key,
            new OAEPParameterSpec(hash, "MGF1", new MGF1ParameterSpec(hash), PSource.PSpecified.DEFAULT));
        return cipher;
    }
}
