package conformance;

import com.azure.security.keyvault.keys.models.JsonWebKey;
import com.azure.security.keyvault.keys.models.KeyCurveName;
import com.azure.security.keyvault.keys.models.KeyOperation;
import com.azure.security.keyvault.keys.models.KeyType;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPrivateCrtKey;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** A key of which this side holds the private half: of a kind such as {@code RSA-2048} or {@code P-384}. */
record LocalKey(String kind, KeyPair pair) {
    static final List<KeyOperation> RSA_OPERATIONS = List.of(KeyOperation.ENCRYPT, KeyOperation.DECRYPT,
        KeyOperation.SIGN, KeyOperation.VERIFY, KeyOperation.WRAP_KEY, KeyOperation.UNWRAP_KEY);
    static final List<KeyOperation> EC_OPERATIONS = List.of(KeyOperation.SIGN, KeyOperation.VERIFY);

    private static final Map<String, LocalKey> SHARED = new ConcurrentHashMap<>();

    static boolean isRsa(String kind) {
        return kind.startsWith("RSA-");
    }

    static int size(String kind) {
        return Integer.parseInt(kind.substring(4));
    }

    static LocalKey generate(String kind) {
        try {
            KeyPairGenerator generator = isRsa(kind)
                ? KeyPairGenerator.getInstance("RSA")
                : KeyPairGenerator.getInstance("EC", Independent.providerOf(kind));
            if (isRsa(kind)) {
                generator.initialize(size(kind));
            } else {
                generator.initialize(Independent.named(kind));
            }
            return new LocalKey(kind, generator.generateKeyPair());
        } catch (GeneralSecurityException error) {
            throw new AssertionError(error);
        }
    }

    /** One key of the kind for the whole run. */
    static LocalKey shared(String kind) {
        return SHARED.computeIfAbsent(kind, LocalKey::generate);
    }

    PublicKey open() {
        return pair.getPublic();
    }

    PrivateKey secret() {
        return pair.getPrivate();
    }

    /** The key as the import operation takes it, with all the operations that its type knows. */
    JsonWebKey jwk() {
        return jwk(isRsa(kind) ? RSA_OPERATIONS : EC_OPERATIONS);
    }

    JsonWebKey jwk(List<KeyOperation> operations) {
        JsonWebKey jwk = new JsonWebKey().setKeyOps(operations);
        if (secret() instanceof RSAPrivateCrtKey key) {
            return jwk.setKeyType(KeyType.RSA)
                .setN(bytes(key.getModulus())).setE(bytes(key.getPublicExponent()))
                .setD(bytes(key.getPrivateExponent())).setP(bytes(key.getPrimeP())).setQ(bytes(key.getPrimeQ())).setDp(bytes(key.getPrimeExponentP()))
                .setDq(bytes(key.getPrimeExponentQ())).setQi(bytes(key.getCrtCoefficient()));
        }
        ECPublicKey open = (ECPublicKey) open();
        int length = Independent.coordinate(kind);
        return jwk.setKeyType(KeyType.EC).setCurveName(KeyCurveName.fromString(kind))
            .setX(bytes(open.getW().getAffineX(), length)).setY(bytes(open.getW().getAffineY(), length))
            .setD(bytes(((ECPrivateKey) secret()).getS(), length));
    }

    private static byte[] bytes(BigInteger number) {
        return bytes(number, (number.bitLength() + 7) / 8);
    }

    /** A number as so many bytes, without the sign byte that the JDK may put in front. */
    private static byte[] bytes(BigInteger number, int length) {
        byte[] signed = number.toByteArray();
        byte[] bytes = new byte[length];
        int copied = Math.min(length, signed.length);
        System.arraycopy(signed, signed.length - copied, bytes, length - copied, copied);
        return bytes;
    }
}
