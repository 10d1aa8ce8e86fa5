package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azappconfig"
)

func TestEveryChangeIsARevisionNewestFirst(t *testing.T) {
	proves(t, "A18", "A19", "A20")
	eachDoor(t, func(t *testing.T, s store) {
		key := unique("revisions")
		s.set(t, key, "", "1")
		s.set(t, key, "", "2")
		s.set(t, key, "", "2")
		s.lock(t, key, true)
		current := s.lock(t, key, false)
		listed := s.revisions(t, azappconfig.SettingSelector{KeyFilter: &key})
		equal(t, "the values", strings.Join(inOrder(listed), ""), "2221")
		equal(t, "the newest is the current one", *listed[0].ETag, *current.ETag)
		holds(t, "the second is locked", *listed[1].IsReadOnly && !*listed[0].IsReadOnly && !*listed[2].IsReadOnly)
		for i := 1; i < len(listed); i++ {
			holds(t, "each has an etag of its own", *listed[i].ETag != *listed[i-1].ETag)
			holds(t, "the times fall", !listed[i].LastModified.After(*listed[i-1].LastModified))
		}
	})
}

func TestRevisionsOutliveTheSetting(t *testing.T) {
	proves(t, "A7", "A20")
	s, key := byKey(t), unique("revisions")
	s.set(t, key, "", "1")
	s.set(t, key, "", "2")
	good(s.client.DeleteSetting(t.Context(), key, nil))(t)
	equal(t, "the values", strings.Join(inOrder(s.revisions(t, azappconfig.SettingSelector{KeyFilter: &key})), ""), "21")
	s.set(t, key, "", "3")
	equal(t, "the values", strings.Join(inOrder(s.revisions(t, azappconfig.SettingSelector{KeyFilter: &key})), ""), "321")
}

func TestRevisionsAreChosenByLabel(t *testing.T) {
	proves(t, "A20")
	s, key := byKey(t), unique("revisions")
	for n := range 2 {
		for _, label := range []string{"", "a", "b"} {
			s.set(t, key, label, fmt.Sprint(label, n))
		}
	}
	for label, want := range map[string]string{
		"": "1 0 a1 a0 b1 b0", nullLabel: "1 0", "a": "a1 a0", "a,b": "a1 a0 b1 b0",
	} {
		selector := azappconfig.SettingSelector{KeyFilter: &key, LabelFilter: optional(label)}
		equal(t, "the values", strings.Join(inOrder(s.revisions(t, selector)), " "), want)
	}
}

func TestRevisionsPage(t *testing.T) {
	proves(t, "A20")
	s := ownStore(t)
	for n := range 130 {
		s.set(t, "key", "", fmt.Sprint(n))
	}
	pages := pagesOf(t, s.client.NewListRevisionsPager(azappconfig.SettingSelector{KeyFilter: to.Ptr("key")}, nil),
		func(page azappconfig.ListRevisionsPageResponse) []azappconfig.Setting { return page.Settings })
	holds(t, "the pages hold a hundred", slices.Equal(lengths(pages), []int{100, 30}))
	for n, value := range mapped(pages, valueOf) {
		equal(t, "the value", value, fmt.Sprint(129-n))
	}
}

func TestThePastIsReadAsItWas(t *testing.T) {
	proves(t, "A1", "A3", "A5", "A16", "A20")
	s := ownStore(t)
	before := pause()
	s.set(t, "key", "", "1")
	s.set(t, "gone", "old", "1")
	then := pause()
	s.set(t, "key", "", "2")
	s.set(t, "new", "late", "2")
	good(s.client.DeleteSetting(t.Context(), "gone", &azappconfig.DeleteSettingOptions{Label: to.Ptr("old")}))(t)

	get := func(key, label string, when time.Time) (azappconfig.GetSettingResponse, error) {
		options := &azappconfig.GetSettingOptions{Label: labelled(label), AcceptDateTime: &when}
		return s.client.GetSetting(t.Context(), key, options)
	}
	equal(t, "the value then", *good(get("key", "", then))(t).Value, "1")
	equal(t, "what is gone now", *good(get("gone", "old", then))(t).Value, "1")
	settingNotFound.by(t, failure(get("new", "late", then)))
	settingNotFound.by(t, failure(get("key", "", before)))
	equal(t, "the value in the future", *good(get("key", "", time.Now().UTC().Add(time.Hour)))(t).Value, "2")

	past := header("Accept-Datetime", then.Format(http.TimeFormat))
	for path, want := range map[string]string{"/kv": "gone=1 key=1", "/revisions": "gone=1 key=1"} {
		got := s.ask(t, http.MethodGet, at(path), past)
		var shown []string
		for _, item := range read[rawPage[rawSetting]](t, got, "kvset").Items {
			shown = append(shown, *item.Key+"="+*item.Value)
		}
		equal(t, "the settings then at "+path, strings.Join(shown, " "), want)
		good(time.Parse(http.TimeFormat, got.header.Get("Memento-Datetime")))(t)
	}
	for path, want := range map[string]string{"/keys": "gone key", "/labels": "null old"} {
		got := s.ask(t, http.MethodGet, at(path), past)
		var shown []string
		for _, item := range read[rawPage[rawName]](t, got, path[1:len(path)-1]+"set").Items {
			name := "null"
			if item.Name != nil {
				name = *item.Name
			}
			shown = append(shown, name)
		}
		equal(t, "the names then at "+path, strings.Join(shown, " "), want)
	}
}

// pause lets whole seconds pass, for dates have no finer ones, and gives a time between what was and what comes.
func pause() time.Time {
	time.Sleep(1100 * time.Millisecond)
	defer time.Sleep(1100 * time.Millisecond)
	return time.Now().UTC()
}

func TestDatesAreReadInSeveralFormats(t *testing.T) {
	proves(t, "A5")
	s, key := byKey(t), unique("dates")
	s.set(t, key, "", "1")
	then := pause()
	s.set(t, key, "", "2")
	const python = "2006-01-02 15:04:05"
	for _, format := range []string{http.TimeFormat, time.RFC3339, time.RFC3339Nano, python, python + ".000000-07:00"} {
		named(t, format, func(t *testing.T) {
			got := s.ask(t, http.MethodGet, at("/kv/"+key), header("Accept-Datetime", then.Format(format)))
			equal(t, "the value", *read[rawSetting](t, got, "kv").Value, "1")
		})
	}
}
