package conformance;

import com.azure.security.keyvault.keys.models.CreateEcKeyOptions;
import com.azure.security.keyvault.keys.models.CreateRsaKeyOptions;
import com.azure.security.keyvault.keys.models.KeyCurveName;
import com.azure.security.keyvault.keys.models.KeyOperation;
import com.azure.security.keyvault.keys.models.KeyProperties;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Keys of the server that several tests only use, made once per run. */
final class Shelf {
    private static final Map<String, KeyVaultKey> CREATED = new ConcurrentHashMap<>();
    private static final Map<String, KeyVaultKey> IMPORTED = new ConcurrentHashMap<>();

    private Shelf() {
    }

    /** A key that the server made. */
    static KeyVaultKey created(String kind) {
        return CREATED.computeIfAbsent(kind, Shelf::create);
    }

    /** The key whose private half {@link LocalKey#shared} holds, too. */
    static KeyVaultKey imported(String kind) {
        return IMPORTED.computeIfAbsent(kind, missing ->
            Clients.KEYS.importKey(Settings.unique("mine-" + kind), LocalKey.shared(kind).jwk()));
    }

    private static KeyVaultKey create(String kind) {
        String name = Settings.unique("shelf-" + kind);
        return LocalKey.isRsa(kind) ? createRsa(name, LocalKey.size(kind)) : createEc(name, kind);
    }

    static KeyVaultKey createRsa(String name, int size) {
        return Clients.KEYS.createRsaKey(new CreateRsaKeyOptions(name).setKeySize(size));
    }

    static KeyVaultKey createEc(String name, String curve) {
        return Clients.KEYS.createEcKey(new CreateEcKeyOptions(name).setCurveName(KeyCurveName.fromString(curve)));
    }

    /** A P-256 key: the quickest to make. */
    static KeyVaultKey createEc(String name) {
        return createEc(name, "P-256");
    }

    /** Changes a key's properties and keeps its operations: without any, the package sends an empty list of them. */
    static KeyVaultKey update(KeyVaultKey key, KeyProperties changed) {
        return Clients.KEYS.updateKeyProperties(changed, key.getKeyOperations().toArray(new KeyOperation[0]));
    }
}
