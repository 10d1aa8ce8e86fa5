package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azappconfig"
)

func TestSettingsComeInPagesOfAHundred(t *testing.T) {
	proves(t, "A3")
	s := ownStore(t)
	s.fill(t, numbered(205)...)
	s.fill(t, [][3]string{{"other", "", "o"}}...)
	for _, selector := range []azappconfig.SettingSelector{
		{KeyFilter: optional("key-*")},
		{KeyFilter: optional("key-*"), LabelFilter: optional("label-*")},
		{KeyFilter: optional("key-*"), Fields: []azappconfig.SettingFields{azappconfig.SettingFieldsValue}},
	} {
		pages := s.list(t, selector)
		holds(t, "the pages hold a hundred", slices.Equal(lengths(pages), []int{100, 100, 5}))
		for n, value := range mapped(pages, valueOf) {
			equal(t, "the value", value, fmt.Sprint(n))
		}
	}
	labels := slices.Concat(s.list(t, azappconfig.SettingSelector{LabelFilter: optional(nullLabel)})...)
	equal(t, "the settings without a label", len(labels), 1)
}

func TestPagesWithoutALabelStayThat(t *testing.T) {
	proves(t, "A3")
	s := ownStore(t)
	list := numbered(120)
	for i := range list {
		list[i][1] = ""
	}
	s.fill(t, list...)
	s.fill(t, numbered(120)...)
	pages := s.list(t, azappconfig.SettingSelector{LabelFilter: optional(nullLabel)})
	holds(t, "the pages hold a hundred", slices.Equal(lengths(pages), []int{100, 20}))
	for _, one := range slices.Concat(pages...) {
		holds(t, "it has no label", one.Label == nil)
	}
}

func TestPagesThatDidNotChangeAreNotSentAgain(t *testing.T) {
	proves(t, "A3")
	s := ownStore(t)
	s.fill(t, numbered(205)...)
	etags := s.pageEtags(t)
	equal(t, "the number of etags", len(etags), 3)
	holds(t, "they differ", etags[0] != etags[1] && etags[1] != etags[2])
	var conditions []azcore.MatchConditions
	for i := range etags {
		conditions = append(conditions, azcore.MatchConditions{IfNoneMatch: &etags[i]})
	}
	same := s.list(t, azappconfig.SettingSelector{}, conditions...)
	holds(t, "no page is sent", slices.Equal(lengths(same), []int{0, 0, 0}))
	s.set(t, "key-150", "label-150", "changed")
	changed := s.list(t, azappconfig.SettingSelector{}, conditions...)
	holds(t, "the second is sent", slices.Equal(lengths(changed), []int{0, 100, 0}))
	equal(t, "the changed value", *changed[1][50].Value, "changed")
	later := s.pageEtags(t)
	holds(t, "only its etag moved", later[0] == etags[0] && later[1] != etags[1] && later[2] == etags[2])
}

// pageEtags reads the etag of each page.
func (s store) pageEtags(t *testing.T) []azcore.ETag {
	t.Helper()
	return mapped(pagesOf(t, s.client.NewListSettingsPager(azappconfig.SettingSelector{}, nil),
		func(page azappconfig.ListSettingsPageResponse) []azcore.ETag { return []azcore.ETag{*page.ETag} }),
		func(etag azcore.ETag) azcore.ETag { return etag })
}

func TestAPageThatShouldMatchAndDoesNotIsRefused(t *testing.T) {
	proves(t, "A3")
	s := ownStore(t)
	s.set(t, "key", "", "v")
	etag := s.pageEtags(t)[0]
	matching := s.list(t, azappconfig.SettingSelector{}, azcore.MatchConditions{IfMatch: &etag})
	equal(t, "the number of settings", len(matching[0]), 1)
	s.set(t, "key", "", "changed")
	options := &azappconfig.ListSettingsOptions{MatchConditions: []azcore.MatchConditions{{IfMatch: &etag}}}
	notMet.by(t, failure(s.client.NewListSettingsPager(azappconfig.SettingSelector{}, options).NextPage(t.Context())))
}

func TestThePageOnTheWire(t *testing.T) {
	proves(t, "A3")
	s := ownStore(t)
	s.fill(t, numbered(101)...)
	got := s.ask(t, http.MethodGet, at("/kv", "key=key*"))
	page := read[rawPage[rawSetting]](t, got, "kvset")
	equal(t, "the etag", got.header.Get("ETag"), `"`+page.Etag+`"`)
	equal(t, "the link", nextOf(t, got), page.NextLink)
	last := s.ask(t, http.MethodGet, page.NextLink)
	end := read[rawPage[rawSetting]](t, last, "kvset")
	equal(t, "the number of settings", len(end.Items), 1)
	holds(t, "there is no next", end.NextLink == "" && nextOf(t, last) == "")
	unchanged := s.ask(t, http.MethodGet, at("/kv", "key=key*"), header("If-None-Match", got.header.Get("ETag")))
	notModified.of(t, unchanged)
	equal(t, "the link of the unchanged page", nextOf(t, unchanged), page.NextLink)
	equal(t, "its etag", unchanged.header.Get("ETag"), got.header.Get("ETag"))
	old := read[map[string]any](t, s.ask(t, http.MethodGet, atVersion("1.0", "/kv")), "kvset")
	_, there := old["etag"]
	holds(t, "an old version has no page etags", !there)
}

func TestKeysAreListedOnceEach(t *testing.T) {
	proves(t, "A1")
	s := ownStore(t)
	s.fill(t, numbered(105)...)
	s.fill(t, [][3]string{{"key-000", "", "again"}, {"other", "", "v"}, {"Ünï/code", "", "v"}}...)
	names := s.names(t, "/keys", "name=key-*")
	equal(t, "the number of keys", len(names), 105)
	holds(t, "they are sorted", slices.IsSorted(names))
	sameMembers(t, "an exact name", s.names(t, "/keys", "name=%C3%9Cn%C3%AF%2Fcode"), []string{"Ünï/code"})
	sameMembers(t, "a list of names", s.names(t, "/keys", "name=other,none"), []string{"other"})
	equal(t, "all of them", len(s.names(t, "/keys")), 107)
	good(s.client.DeleteSetting(t.Context(), "other", nil))(t)
	equal(t, "a deleted key", len(s.names(t, "/keys", "name=other")), 0)
}

func TestLabelsAreListedOnceEach(t *testing.T) {
	proves(t, "A16")
	s := ownStore(t)
	s.fill(t, numbered(105)...)
	s.fill(t, [][3]string{{"another", "label-000", "v"}, {"bare", "", "v"}}...)
	names := s.names(t, "/labels")
	equal(t, "the number of labels", len(names), 106)
	equal(t, "the null label comes first", names[0], "null")
	equal(t, "those with a prefix", len(s.names(t, "/labels", "name=label-*")), 105)
	sameMembers(t, "the null label", s.names(t, "/labels", "name=%00"), []string{"null"})
	sameMembers(t, "a list", s.names(t, "/labels", "name=%00,label-007", "$select=name"), []string{"null", "label-007"})
}

// names reads the pages of a list of names to their end.
func (s store) names(t *testing.T, path string, parameters ...string) []string {
	t.Helper()
	var names []string
	for target := at(path, parameters...); target != ""; {
		got := s.ask(t, http.MethodGet, target)
		page := read[rawPage[rawName]](t, got, path[1:len(path)-1]+"set")
		for _, item := range page.Items {
			name := "null"
			if item.Name != nil {
				name = *item.Name
			}
			names = append(names, name)
		}
		equal(t, "the link", nextOf(t, got), page.NextLink)
		target = page.NextLink
	}
	return names
}
