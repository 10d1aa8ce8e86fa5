package conformance;

import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestSource;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;

/** Gathers which tests ran, how they ended, and which operations they prove. */
final class Report implements TestExecutionListener {
    private final Set<String> proven = new HashSet<>();
    private final Set<String> broken = new HashSet<>();
    private final List<String> failures = new ArrayList<>();
    private int passed;
    private int skipped;

    @Override
    public synchronized void executionSkipped(TestIdentifier identifier, String reason) {
        skipped++;
    }

    @Override
    public synchronized void executionFinished(TestIdentifier identifier, TestExecutionResult result) {
        Set<String> claimed = identifier.getSource().map(Report::claims).orElse(Set.of());
        switch (result.getStatus()) {
            case SUCCESSFUL -> {
                if (identifier.isTest()) {
                    passed++;
                    proven.addAll(claimed);
                }
            }
            case ABORTED -> skipped++;
            case FAILED -> {
                String where = identifier.getSource().map(Report::place).orElse(identifier.getUniqueId());
                failures.add(where + " " + identifier.getDisplayName() + "\n"
                    + result.getThrowable().map(Report::shortTrace).orElse(""));
                broken.addAll(claimed);
            }
        }
    }

    private static Set<String> claims(TestSource source) {
        Stream<Method> methods = Stream.empty();
        if (source instanceof MethodSource method) {
            methods = Stream.of(method.getJavaMethod());
        } else if (source instanceof ClassSource whole) {
            methods = Arrays.stream(whole.getJavaClass().getDeclaredMethods());
        }
        return methods.map(method -> method.getAnnotation(Covers.class)).filter(covers -> covers != null)
            .flatMap(covers -> Arrays.stream(covers.value())).peek(Report::mustBeKnown).collect(Collectors.toSet());
    }

    private static void mustBeKnown(String operation) {
        if (!Operations.ALL.containsKey(operation)) {
            throw new IllegalArgumentException(operation + " is not in operations.txt");
        }
    }

    private static String place(TestSource source) {
        if (source instanceof MethodSource method) {
            return method.getJavaClass().getSimpleName() + "." + method.getMethodName();
        }
        return source.toString();
    }

    /** What went wrong, with the lines of this suite alone. */
    private static String shortTrace(Throwable failure) {
        return "    " + failure + Arrays.stream(failure.getStackTrace())
            .filter(frame -> frame.getClassName().startsWith("conformance."))
            .map(frame -> "\n      at " + frame).collect(Collectors.joining());
    }

    /** {@code passed} only when tests claim the operation, all of them passed, and a client saw it succeed. */
    private String resultOf(String operation) {
        if (broken.contains(operation)) {
            return "failed";
        }
        return proven.contains(operation) && Wire.SUCCEEDED.contains(operation) ? "passed" : "uncovered";
    }

    private Map<String, String> results() {
        Map<String, String> results = new TreeMap<>();
        Operations.ALL.keySet().forEach(operation -> results.put(operation, resultOf(operation)));
        return results;
    }

    /** Prints the summary; whether the run is good. A part of the suite need not prove every operation. */
    boolean summarize(boolean whole) {
        failures.forEach(failure -> System.out.println("FAILED: " + failure));
        List<String> unproven = results().entrySet().stream()
            .filter(result -> !result.getValue().equals("passed")).map(Map.Entry::getKey).toList();
        System.out.printf("tests: %d passed, %d failed, %d skipped%n", passed, failures.size(), skipped);
        System.out.printf("operations proven (%s): %d of %d%n", Settings.MODE,
            Operations.ALL.size() - unproven.size(), Operations.ALL.size());
        boolean good = failures.isEmpty() && passed > 0;
        if (whole && !unproven.isEmpty()) {
            System.out.println("FAILED: not proven: " + String.join(" ", unproven));
            good = false;
        }
        if ("true".equals(System.getenv("CI")) && skipped > 0) {
            System.out.println("FAILED: CI accepts no skipped test");
            good = false;
        }
        return good;
    }

    void write(Path file) throws IOException {
        String operations = results().entrySet().stream()
            .map(result -> "    \"" + result.getKey() + "\": \"" + result.getValue() + "\"")
            .collect(Collectors.joining(",\n"));
        Files.createDirectories(file.getParent());
        Files.writeString(file, """
            {
              "language": "java",
              "mode": "%s",
              "operations": {
            %s
              }
            }
            """.formatted(Settings.MODE, operations));
    }
}
