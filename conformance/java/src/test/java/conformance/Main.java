package conformance;

import com.azure.core.http.HttpClient;
import com.azure.core.http.HttpMethod;
import com.azure.core.http.HttpRequest;
import com.azure.core.util.Context;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** Runs the suite, or the part whose {@code Class.method} matches the one argument, and writes the report. */
final class Main {
    private Main() {
    }

    public static void main(String[] arguments) throws IOException {
        if (!Settings.missing().isEmpty()) {
            System.err.println("the environment gives no " + String.join(", ", Settings.missing()) + "; see README.md");
            System.exit(2);
        }
        try {
            reach();
        } catch (RuntimeException error) {
            System.err.println("the vault does not answer: " + error);
            System.exit(2);
        }
        boolean whole = arguments.length == 0;
        Path file = Path.of(System.getenv("CONFORMANCE_REPORT"));
        if (whole) {
            // A run that breaks off must not leave an earlier run's report behind.
            Files.deleteIfExists(file);
        }
        Report report = new Report();
        LauncherFactory.create().execute(request(whole ? "" : arguments[0]), report);
        boolean good = report.summarize(whole);
        if (whole) {
            report.write(file);
        }
        System.exit(good ? 0 : 1);
    }

    /** Tells at once what the packages' retries would tell after minutes, of each test. */
    private static void reach() {
        HttpClient.createDefault().sendSync(new HttpRequest(HttpMethod.GET, Settings.VAULT + "/secrets"), Context.NONE)
            .close();
    }

    private static LauncherDiscoveryRequest request(String part) {
        Pattern wanted = Pattern.compile(part);
        PostDiscoveryFilter filter = test -> FilterResult.includedIf(test.getSource()
            .filter(MethodSource.class::isInstance).map(MethodSource.class::cast)
            .map(source -> wanted.matcher(source.getClassName() + "." + source.getMethodName()).find()).orElse(true));
        return LauncherDiscoveryRequestBuilder.request()
            .selectors(DiscoverySelectors.selectPackage("conformance"))
            .filters(filter)
            .configurationParameter("junit.jupiter.execution.parallel.enabled", "true")
            .configurationParameter("junit.jupiter.execution.parallel.mode.default", "concurrent")
            .configurationParameter("junit.jupiter.execution.parallel.config.strategy", "fixed")
            .configurationParameter("junit.jupiter.execution.parallel.config.fixed.parallelism", "8")
            .configurationParameter("junit.jupiter.execution.timeout.testable.method.default", "2 m")
            .build();
    }
}
