package conformance

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tally gathers which tests ran, how they ended, and which operations they prove.
var tally = struct {
	sync.Mutex
	passed, failed, skipped, cases int
	proven, broken                 map[string]bool
}{proven: map[string]bool{}, broken: map[string]bool{}}

// operations holds the contract ids of operations.txt, in its order.
var operations = readOperations()

func readOperations() []string {
	text, err := os.ReadFile(filepath.Join("..", "operations.txt"))
	if err != nil {
		panic(err)
	}
	var ids []string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 0 && !strings.HasPrefix(fields[0], "#") {
			ids = append(ids, fields[0])
		}
	}
	return ids
}

// proves begins each test: it runs beside the others, and names the operations that it proves when it passes.
func proves(t *testing.T, claimed ...string) {
	t.Helper()
	for _, id := range claimed {
		if !slices.Contains(operations, id) {
			t.Fatalf("%s is not in operations.txt", id)
		}
	}
	t.Cleanup(func() {
		tally.Lock()
		defer tally.Unlock()
		switch {
		case t.Failed():
			tally.failed++
		case t.Skipped():
			tally.skipped++
			return
		default:
			tally.passed++
		}
		for _, id := range claimed {
			if t.Failed() {
				tally.broken[id] = true
			} else {
				tally.proven[id] = true
			}
		}
	})
	t.Parallel()
}

// each runs a test's body once for every case, as a subtest of its own.
func each[C any](t *testing.T, cases []C, body func(t *testing.T, c C)) {
	t.Helper()
	for _, c := range cases {
		named(t, fmt.Sprint(c), func(t *testing.T) { body(t, c) })
	}
}

// named runs one subtest and counts it.
func named(t *testing.T, name string, body func(t *testing.T)) {
	t.Helper()
	tally.Lock()
	tally.cases++
	tally.Unlock()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		body(t)
	})
}

// resultOf is `passed` only when tests claim the operation and every one of them passed.
func resultOf(id string) string {
	switch {
	case tally.broken[id]:
		return "failed"
	case tally.proven[id]:
		return "passed"
	default:
		return "uncovered"
	}
}

// TestMain runs the suite, writes the report, and fails a whole run that leaves an operation unproven.
func TestMain(m *testing.M) {
	flag.Parse()
	if missing := missingSettings(); len(missing) > 0 {
		fmt.Fprintf(os.Stderr, "the environment gives no %s; see README.md\n", strings.Join(missing, ", "))
		os.Exit(2)
	}
	if err := reachable(); err != nil {
		fmt.Fprintf(os.Stderr, "the vault does not answer: %v\n", err)
		os.Exit(2)
	}
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
	report := filepath.Join("..", "report", "go-"+settings.mode+".json")
	if whole {
		// A run that breaks off must not leave an earlier run's report behind.
		if err := os.Remove(report); err != nil && !errors.Is(err, fs.ErrNotExist) {
			panic(err)
		}
	}
	code := m.Run()
	results, unproven := map[string]string{}, []string{}
	for _, id := range operations {
		results[id] = resultOf(id)
		if results[id] != "passed" {
			unproven = append(unproven, id)
		}
	}
	fmt.Printf("tests: %d passed, %d failed, %d skipped, with %d subtests\n", tally.passed, tally.failed, tally.skipped, tally.cases)
	fmt.Printf("operations proven (%s): %d of %d\n", settings.mode, len(operations)-len(unproven), len(operations))
	if whole {
		write(report, results)
		if len(unproven) > 0 {
			fmt.Println("FAILED: not proven:", strings.Join(unproven, " "))
			code = max(code, 1)
		}
		if os.Getenv("CI") == "true" && tally.skipped > 0 {
			fmt.Println("FAILED: CI accepts no skipped test")
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// reachable tells at once what the package's retries would tell after minutes, of each test.
func reachable() error {
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Get(settings.vaultURL + "/secrets")
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func write(report string, results map[string]string) {
	text, err := json.MarshalIndent(map[string]any{"language": "go", "mode": settings.mode, "operations": results}, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(report), 0o755)
	}
	if err == nil {
		err = os.WriteFile(report, append(text, '\n'), 0o644)
	}
	if err != nil {
		panic(err)
	}
}
