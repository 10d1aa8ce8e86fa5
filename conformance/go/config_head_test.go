package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// HEAD operations are not in the official client: they are asked for over plain HTTPS, signed by our own code.

// sameHead checks that HEAD answers as GET does, without a body, and gives what it answered.
func sameHead(t *testing.T, s store, status int, target string, changes ...change) answer {
	t.Helper()
	whole, head := s.ask(t, http.MethodGet, target, changes...), s.ask(t, http.MethodHead, target, changes...)
	equal(t, "the status of GET", whole.status, status)
	equal(t, "the status of HEAD", head.status, status)
	equal(t, "the body of HEAD", string(head.body), "")
	for _, name := range []string{"ETag", "Link", "Content-Type", "Last-Modified"} {
		equal(t, name, strings.Join(head.header.Values(name), " "), strings.Join(whole.header.Values(name), " "))
	}
	holds(t, "there is a Sync-Token", head.header.Get("Sync-Token") != "")
	return head
}

func TestASettingIsChecked(t *testing.T) {
	proves(t, "A8")
	eachDoor(t, func(t *testing.T, s store) {
		key := unique("check")
		equal(t, "the status", s.ask(t, http.MethodHead, at("/kv/"+key)).status, http.StatusNotFound)
		made := s.set(t, key, "", "v")
		head := sameHead(t, s, http.StatusOK, at("/kv/"+key))
		equal(t, "the ETag", head.header.Get("ETag"), `"`+string(*made.ETag)+`"`)
		sameHead(t, s, http.StatusNotModified, at("/kv/"+key), header("If-None-Match", `"`+string(*made.ETag)+`"`))
		sameHead(t, s, http.StatusPreconditionFailed, at("/kv/"+key), header("If-Match", `"other"`))
		equal(t, "another label", s.ask(t, http.MethodHead, at("/kv/"+key, "label=none")).status, http.StatusNotFound)
	})
}

func TestAListOfSettingsIsChecked(t *testing.T) {
	proves(t, "A4")
	eachDoor(t, func(t *testing.T, s store) {
		key := unique("check")
		s.set(t, key, "", "v")
		target := at("/kv", "key="+key+"*")
		etag := sameHead(t, s, http.StatusOK, target).header.Get("ETag")
		holds(t, "there is a page etag", etag != "")
		sameHead(t, s, http.StatusNotModified, target, header("If-None-Match", etag))
		s.set(t, key, "", "changed")
		holds(t, "it moves with a change", sameHead(t, s, http.StatusOK, target).header.Get("ETag") != etag)
	})
}

func TestKeysLabelsAndRevisionsAreChecked(t *testing.T) {
	proves(t, "A2", "A17", "A21")
	eachDoor(t, func(t *testing.T, s store) {
		key := unique("check")
		s.set(t, key, "label of "+key, "v")
		sameHead(t, s, http.StatusOK, at("/keys", "name="+key))
		sameHead(t, s, http.StatusOK, at("/labels", "name=label%20of%20"+key))
		sameHead(t, s, http.StatusOK, at("/revisions", "key="+key))
	})
}

func TestSnapshotsAreChecked(t *testing.T) {
	proves(t, "A10", "A15")
	eachDoor(t, func(t *testing.T, s store) {
		name := unique("check")
		equal(t, "the status", s.ask(t, http.MethodHead, at("/snapshots/"+name)).status, http.StatusNotFound)
		made := s.snapshot(t, name, nil, filter(unique("nothing"), nullLabel))
		head := sameHead(t, s, http.StatusOK, at("/snapshots/"+name))
		equal(t, "the ETag", head.header.Get("ETag"), `"`+string(*made.ETag)+`"`)
		sameHead(t, s, http.StatusOK, at("/snapshots", "name="+name))
	})
}

func TestCheckedListsPageByTheirLinksAlone(t *testing.T) {
	proves(t, "A2", "A4", "A17", "A21")
	s := ownStore(t)
	s.fill(t, numbered(205)...)
	for _, path := range []string{"/kv", "/keys", "/labels", "/revisions"} {
		named(t, path, func(t *testing.T) {
			target, pages := at(path), 0
			for target != "" {
				head := s.ask(t, http.MethodHead, target)
				equal(t, "the status", head.status, http.StatusOK)
				pages, target = pages+1, nextOf(t, head)
				holds(t, "it ends", pages < 5)
			}
			equal(t, "the number of pages", pages, 3)
		})
	}
}

// nextOf reads the relative target from a Link header, if there is one: rel="next" comes first.
func nextOf(t *testing.T, got answer) string {
	t.Helper()
	link := got.header.Get("Link")
	if link == "" {
		return ""
	}
	target, rest, found := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	holds(t, link+" is a link", found && strings.HasPrefix(link, "</"))
	holds(t, link+" is the next", strings.HasPrefix(strings.TrimSpace(rest), `; rel="next"`))
	return target
}

// numbered gives settings to fill a store with, each with a label of its own.
func numbered(n int) [][3]string {
	list := make([][3]string, n)
	for i := range list {
		list[i] = [3]string{fmt.Sprintf("key-%03d", i), fmt.Sprintf("label-%03d", i), fmt.Sprint(i)}
	}
	return list
}

func TestAPastIsCheckedWithItsMemento(t *testing.T) {
	proves(t, "A8")
	s, key := byKey(t), unique("memento")
	s.set(t, key, "", "v")
	time.Sleep(1100 * time.Millisecond)
	now := header("Accept-Datetime", time.Now().UTC().Format(http.TimeFormat))
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		got := s.ask(t, method, at("/kv/"+key), now)
		equal(t, "the status", got.status, http.StatusOK)
		good(time.Parse(http.TimeFormat, got.header.Get("Memento-Datetime")))(t)
		links := strings.Join(got.header.Values("Link"), ", ")
		holds(t, links+" tells the original", strings.Contains(links, `rel="original"`))
	}
}
