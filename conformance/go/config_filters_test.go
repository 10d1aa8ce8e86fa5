package conformance

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azappconfig"
)

// nullLabel is the label filter for settings that have none.
const nullLabel = "\x00"

// filtered is a store that the filters choose from; it is only read.
func filtered(t *testing.T) store {
	t.Helper()
	s := ownStore(t)
	s.fill(t, [][3]string{
		{"app/one", "", "1"}, {"app/two", "", "2"}, {"app/two", "prod", "3"}, {"app/two", "prod-eu", "4"},
		{"app/three", "test", "5"}, {"other", "", "6"}, {"other", "a,b", "7"}, {"star*", "", "8"}, {"star-no", "", "9"},
		{`back\slash`, "", "10"}, {"com,ma", "", "11"}, {"App/one", "", "12"},
	}...)
	return s
}

func TestFiltersChooseByKeyAndLabel(t *testing.T) {
	proves(t, "A3", "A20")
	s := filtered(t)
	for _, c := range []struct{ key, label, want string }{
		{"*", "*", "1 2 3 4 5 6 7 8 9 10 11 12"},
		{"", "", "1 2 3 4 5 6 7 8 9 10 11 12"},
		{"*one", "*none", "1 2 3 4 5 6 7 8 9 10 11 12"},
		{"app/*", "", "1 2 3 4 5"},
		{"app/two", "", "2 3 4"},
		{"app/two", "prod", "3"},
		{"app/*", "prod*", "3 4"},
		{"app/*", nullLabel, "1 2"},
		{"", nullLabel, "1 2 6 8 9 10 11 12"},
		{"", "test", "5"},
		{"app/one,other", "", "1 6 7"},
		{"app/one,oth*", nullLabel, "1 6"},
		{"", nullLabel + ",test", "1 2 5 6 8 9 10 11 12"},
		{"", "prod,test,none", "3 5"},
		{"", `a\,b`, "7"},
		{`star\*`, "", "8"},
		{"star*", "", "8 9"},
		{`back\\slash`, "", "10"},
		{`back\\*`, "", "10"},
		{`com\,ma`, "", "11"},
		{"APP/*", "", ""},
		{"none", "", ""},
	} {
		named(t, c.key+" and "+strings.ReplaceAll(c.label, nullLabel, "null"), func(t *testing.T) {
			selector := azappconfig.SettingSelector{KeyFilter: optional(c.key), LabelFilter: optional(c.label)}
			sameMembers(t, "the settings", mapped(s.list(t, selector), valueOf), strings.Fields(c.want))
			sameMembers(t, "the revisions", inOrder(s.revisions(t, selector)), strings.Fields(c.want))
		})
	}
}

func TestBadFiltersAreRefusedWithAPosition(t *testing.T) {
	proves(t, "A1", "A3", "A16", "A20")
	s := byKey(t)
	for _, path := range []string{"/kv", "/revisions"} {
		for _, parameter := range []string{"key", "label"} {
			for _, filter := range []string{"a*b", "ab**", `abc\x`} {
				named(t, path+" "+parameter+"="+filter, func(t *testing.T) {
					target := at(path, parameter+"="+url.QueryEscape(filter))
					shown := invalidArgument.of(t, s.ask(t, http.MethodGet, target))
					equal(t, "the parameter", shown.Name, parameter)
					holds(t, "there is a position", shown.Pos != nil)
				})
			}
			named(t, path+" "+parameter+" of six", func(t *testing.T) {
				invalidArgument.of(t, s.ask(t, http.MethodGet, at(path, parameter+"=a,b,c,d,e,f")))
			})
		}
	}
	for _, path := range []string{"/keys", "/labels"} {
		named(t, path, func(t *testing.T) {
			shown := invalidArgument.of(t, s.ask(t, http.MethodGet, at(path, "name=a*b")))
			equal(t, "the parameter", shown.Name, "name")
		})
	}
	named(t, "through the official client", func(t *testing.T) {
		pager := s.client.NewListSettingsPager(azappconfig.SettingSelector{KeyFilter: to.Ptr("a*b")}, nil)
		shown := invalidArgument.by(t, failure(pager.NextPage(t.Context())))
		equal(t, "the title", shown.Title, "Invalid request parameter 'key'")
	})
}

func TestSettingsAreListedByKeyAndLabelInOrdinalOrder(t *testing.T) {
	proves(t, "A3")
	s := ownStore(t)
	s.fill(t, [][3]string{
		{"b", "", "4"}, {"a", "z", "3"}, {"a", "", "1"}, {"a", "Z", "2"}, {"B", "", "0"}, {"ä", "", "5"},
	}...)
	listed := mapped(s.list(t, azappconfig.SettingSelector{}), valueOf)
	equal(t, "the order", strings.Join(listed, ""), "012345")
}

func TestFieldsAreSelected(t *testing.T) {
	proves(t, "A3", "A5", "A20")
	s, key := byKey(t), unique("fields")
	good(s.client.SetSetting(t.Context(), key, to.Ptr("v"), &azappconfig.SetSettingOptions{
		Label: to.Ptr("l"), ContentType: to.Ptr("text/plain"),
	}))(t)
	selector := azappconfig.SettingSelector{
		KeyFilter: &key, Fields: []azappconfig.SettingFields{azappconfig.SettingFieldsKey, azappconfig.SettingFieldsValue},
	}
	for what, list := range map[string][]azappconfig.Setting{
		"settings": slices.Concat(s.list(t, selector)...), "revisions": s.revisions(t, selector),
	} {
		equal(t, "the number of "+what, len(list), 1)
		one := list[0]
		holds(t, "key and value are there", *one.Key == key && *one.Value == "v")
		holds(t, "label and content type are not", one.Label == nil && one.ContentType == nil)
		holds(t, "nothing else is", one.ETag == nil && one.LastModified == nil && one.IsReadOnly == nil)
	}
	selector.Fields = azappconfig.AllSettingFields()
	all := slices.Concat(s.list(t, selector)...)[0]
	holds(t, "label and content type are there", *all.Label == "l" && *all.ContentType == "text/plain")
	holds(t, "the rest is, too", all.ETag != nil && all.LastModified != nil && all.IsReadOnly != nil)
	target := at("/kv/"+key, "label=l", "$select=value,content_type")
	shown := read[map[string]any](t, s.ask(t, http.MethodGet, target), "kv")
	equal(t, "the number of members", len(shown), 2)
	equal(t, "the content type", shown["content_type"], any("text/plain"))
}

func TestTagsFilter(t *testing.T) {
	proves(t, "A3", "A20")
	s := ownStore(t)
	for key, tags := range map[string]map[string]any{
		"1": {"env": "prod", "team": "a"}, "2": {"env": "prod", "team": "b"}, "3": {"env": "test"}, "4": {"env": nil},
		"5": {}, "6": {"a=b": "c,d"}, "7": {"env": ""},
	} {
		read[rawSetting](t, s.put(t, at("/kv/"+key), map[string]any{"value": key, "tags": tags}), "kv")
	}
	for _, c := range []struct {
		tags []string
		want string
	}{
		{[]string{"env=prod"}, "1 2"},
		{[]string{"env=prod", "team=b"}, "2"},
		{[]string{"env=prod", "env=test"}, ""},
		{[]string{"env=" + nullLabel}, "4"},
		{[]string{"env="}, "7"},
		{[]string{`a\=b=c\,d`}, "6"},
		{[]string{"none=prod"}, ""},
		{[]string{"ENV=prod"}, ""},
	} {
		for _, path := range []string{"/kv", "/revisions"} {
			named(t, path+" "+strings.ReplaceAll(strings.Join(c.tags, " "), nullLabel, "null"), func(t *testing.T) {
				var parameters []string
				for _, tag := range c.tags {
					parameters = append(parameters, "tags="+url.QueryEscape(tag))
				}
				target := atVersion("2023-11-01", path, parameters...)
				page := read[rawPage[rawSetting]](t, s.ask(t, http.MethodGet, target), "kvset")
				var got []string
				for _, item := range page.Items {
					got = append(got, *item.Value)
				}
				sameMembers(t, "the settings", got, strings.Fields(c.want))
			})
		}
	}
	for _, bad := range []string{"=value", "a=b=c"} {
		named(t, bad+" is refused", func(t *testing.T) {
			invalidArgument.of(t, s.ask(t, http.MethodGet, at("/kv", "tags="+url.QueryEscape(bad))))
		})
	}
	named(t, "an older version knows none", func(t *testing.T) {
		target := atVersion("2023-10-01", "/kv", "tags=env%3Dprod")
		page := read[rawPage[rawSetting]](t, s.ask(t, http.MethodGet, target), "kvset")
		equal(t, "the number of settings", len(page.Items), 7)
	})
}

func optional(filter string) *string { return labelled(filter) }

func valueOf(setting azappconfig.Setting) string { return *setting.Value }

// inOrder gives the values of settings as they were listed.
func inOrder(settings []azappconfig.Setting) []string {
	return mapped([][]azappconfig.Setting{settings}, valueOf)
}
