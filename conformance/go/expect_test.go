package conformance

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// refusal is what a failed call must carry: the status and the codes that programs test.
type refusal struct {
	status      int
	code, inner string
}

var (
	badParameter   = refusal{400, "BadParameter", ""}
	unauthorized   = refusal{401, "Unauthorized", ""}
	secretNotFound = refusal{404, "SecretNotFound", ""}
	keyNotFound    = refusal{404, "KeyNotFound", ""}
	conflict       = refusal{409, "Conflict", ""}
	deletedName    = refusal{409, "Conflict", "ObjectIsDeletedButRecoverable"}
)

func forbidden(inner string) refusal { return refusal{403, "Forbidden", inner} }

// by checks an error against the refusal and gives its message; each text occurs in it, whatever its case.
func (want refusal) by(t *testing.T, err error, texts ...string) string {
	t.Helper()
	var got *azcore.ResponseError
	if !errors.As(err, &got) {
		t.Fatalf("wanted a ResponseError with %d %s, got %v", want.status, want.code, err)
	}
	if got.StatusCode != want.status || got.ErrorCode != want.code {
		t.Fatalf("wanted %d %s, got %v", want.status, want.code, err)
	}
	var body struct {
		Error struct {
			Code, Message string
			InnerError    struct{ Code string }
		}
	}
	if err := json.Unmarshal(good(runtime.Payload(got.RawResponse))(t), &body); err != nil {
		t.Fatal(err)
	}
	equal(t, "the error's code", body.Error.Code, want.code)
	if want.inner != "" {
		equal(t, "the inner code", body.Error.InnerError.Code, want.inner)
	}
	for _, text := range texts {
		if !strings.Contains(strings.ToLower(body.Error.Message), strings.ToLower(text)) {
			t.Fatalf("%q is not in %q", text, body.Error.Message)
		}
	}
	return body.Error.Message
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func holds(t *testing.T, what string, condition bool) {
	t.Helper()
	if !condition {
		t.Fatalf("not so: %s", what)
	}
}

func sameTags(t *testing.T, got map[string]*string, want map[string]string) {
	t.Helper()
	plain := map[string]string{}
	for name, value := range got {
		plain[name] = *value
	}
	if !maps.Equal(plain, want) {
		t.Fatalf("tags: got %v, want %v", plain, want)
	}
}

// sameMembers compares two lists whatever their order.
func sameMembers[T ~string](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func sameTime(t *testing.T, what string, got *time.Time, want time.Time) {
	t.Helper()
	if got == nil || !got.Equal(want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// rising checks that each time is after the one before it.
func rising(t *testing.T, times ...*time.Time) {
	t.Helper()
	for i := 1; i < len(times); i++ {
		if !times[i].After(*times[i-1]) {
			t.Fatalf("the times do not rise: %v", times)
		}
	}
}

// values takes the pointers off a list.
func values[T any](list []*T) []T {
	plain := make([]T, len(list))
	for i, item := range list {
		plain[i] = *item
	}
	return plain
}

// mapped applies a function to every item of a list's pages.
func mapped[I, R any](pages [][]I, one func(I) R) []R {
	var all []R
	for _, page := range pages {
		for _, item := range page {
			all = append(all, one(item))
		}
	}
	return all
}

func lengths[I any](pages [][]I) []int {
	var all []int
	for _, page := range pages {
		all = append(all, len(page))
	}
	return all
}

// day counts whole seconds, as the wire does.
func day(n int) time.Time { return startOfRun.AddDate(0, 0, n) }

var startOfRun = time.Now().UTC().Truncate(time.Second)
