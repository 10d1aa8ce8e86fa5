package conformance

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azappconfig"
)

func TestASettingComesBackAsItWasSet(t *testing.T) {
	proves(t, "A5", "A6")
	eachDoor(t, func(t *testing.T, s store) {
		key := unique("set")
		options := &azappconfig.SetSettingOptions{Label: to.Ptr("production"), ContentType: to.Ptr("text/plain")}
		made := good(s.client.SetSetting(t.Context(), key, to.Ptr("blue"), options))(t)
		got := good(s.client.GetSetting(t.Context(), key, &azappconfig.GetSettingOptions{Label: options.Label}))(t)
		for what, one := range map[string]azappconfig.Setting{"set": made.Setting, "get": got.Setting} {
			equal(t, "the key of "+what, *one.Key, key)
			equal(t, "the label of "+what, *one.Label, "production")
			equal(t, "the value of "+what, *one.Value, "blue")
			equal(t, "the content type of "+what, *one.ContentType, "text/plain")
			equal(t, "the number of tags of "+what, len(one.Tags), 0)
			holds(t, "it can be written", !*one.IsReadOnly)
			equal(t, "the etag of "+what, *one.ETag, *made.ETag)
			sameTime(t, "last modified", one.LastModified, *made.LastModified)
			holds(t, "modified now", one.LastModified.After(startOfRun.Add(-5*time.Minute)))
		}
	})
}

func TestASettingMayHaveNoValue(t *testing.T) {
	proves(t, "A5", "A6")
	s, key := byKey(t), unique("no-value")
	good(s.client.SetSetting(t.Context(), key, nil, nil))(t)
	got := s.get(t, key, "")
	holds(t, "there is no value, label or content type", got.Value == nil && got.Label == nil && got.ContentType == nil)
	s.set(t, key, "", "")
	equal(t, "an empty value", *s.get(t, key, "").Value, "")
}

func TestALabelMakesAnotherSetting(t *testing.T) {
	proves(t, "A5", "A6", "A7")
	s, key := byKey(t), unique("labels")
	bare, labelled := s.set(t, key, "", "bare"), s.set(t, key, "test", "labelled")
	holds(t, "the etags differ", *bare.ETag != *labelled.ETag)
	equal(t, "without a label", *s.get(t, key, "").Value, "bare")
	equal(t, "with a label", *s.get(t, key, "test").Value, "labelled")
	other := &azappconfig.GetSettingOptions{Label: to.Ptr("Test")}
	settingNotFound.by(t, failure(s.client.GetSetting(t.Context(), key, other)))
	settingNotFound.by(t, failure(s.client.GetSetting(t.Context(), strings.ToUpper(key), nil)))
	good(s.client.DeleteSetting(t.Context(), key, nil))(t)
	settingNotFound.by(t, failure(s.client.GetSetting(t.Context(), key, nil)))
	equal(t, "the other stays", *s.get(t, key, "test").Value, "labelled")
}

func TestTheNullLabelHasThreeSpellings(t *testing.T) {
	proves(t, "A5", "A6", "A7")
	s, key := byKey(t), unique("null")
	s.set(t, key, "", "v")
	for _, label := range []string{"", "\x00"} {
		got := good(s.client.GetSetting(t.Context(), key, &azappconfig.GetSettingOptions{Label: &label}))(t)
		holds(t, "it is the bare one", *got.Value == "v" && got.Label == nil)
	}
	nul := &azappconfig.SetSettingOptions{Label: to.Ptr("\x00")}
	good(s.client.SetSetting(t.Context(), key, to.Ptr("again"), nul))(t)
	equal(t, "the value", *s.get(t, key, "").Value, "again")
}

func TestKeysAndValuesOfAnyScriptComeBack(t *testing.T) {
	proves(t, "A5", "A6", "A7")
	keys := []string{
		"app/settings/color", "with a space", "Größe:höhe", "日本語/キー", "emoji-🗝", "a+b&c=d?e#f", "quote\"d",
		"semi;colon,comma", "star*", `back\slash`, ".hidden", "[bracket]", "~tilde!@$^(){}|<>'`",
	}
	values := []string{
		"", " ", "Grüße, 日本語, 🗝", "line\r\nbreak\ttab", `{"json":["\u0000",1]}`, "50% \\ *", strings.Repeat("x", 8000),
	}
	eachDoor(t, func(t *testing.T, s store) {
		each(t, keys, func(t *testing.T, plain string) {
			key := unique("any") + plain
			for _, value := range values {
				s.set(t, key, plain, value)
				got := s.get(t, key, plain)
				equal(t, "the value", *got.Value, value)
				equal(t, "the key", *got.Key, key)
				equal(t, "the label", *got.Label, plain)
			}
			deleted := good(s.client.DeleteSetting(t.Context(), key, &azappconfig.DeleteSettingOptions{Label: &plain}))(t)
			equal(t, "the deleted key", *deleted.Key, key)
		})
	})
}

func TestKeysWithAPercentSignAreRefused(t *testing.T) {
	proves(t, "A5", "A6", "A7")
	s, key := byKey(t), unique("percent")+"-50%"
	invalidArgument.by(t, failure(s.client.SetSetting(t.Context(), key, to.Ptr("v"), nil)))
	invalidArgument.by(t, failure(s.client.GetSetting(t.Context(), key, nil)))
	invalidArgument.by(t, failure(s.client.DeleteSetting(t.Context(), key, nil)))
}

func TestKeysLabelsAndTagsAreBounded(t *testing.T) {
	proves(t, "A6")
	s, long := byKey(t), strings.Repeat("n", 257)
	key := unique(strings.Repeat("k", 245))
	equal(t, "the key's length", len(key), 256)
	s.set(t, key, long[:256], "v")
	equal(t, "the value", *s.get(t, key, long[:256]).Value, "v")
	for what, refused := range map[string]struct {
		target string
		body   map[string]any
		name   string
	}{
		"a long key":     {at("/kv/" + long), nil, "key"},
		"a control key":  {at("/kv/a%01b"), nil, "key"},
		"a long label":   {at("/kv/k", "label="+long), nil, "label"},
		"a control sign": {at("/kv/k", "label=a%01b"), nil, "label"},
		"a control type": {at("/kv/k"), map[string]any{"content_type": "a\x01b"}, "content_type"},
		"a long tag":     {at("/kv/k"), map[string]any{"tags": map[string]any{long: "v"}}, ""},
		"a long value":   {at("/kv/k"), map[string]any{"tags": map[string]any{"k": long}}, ""},
	} {
		named(t, what, func(t *testing.T) {
			shown := invalidArgument.of(t, s.put(t, refused.target, refused.body))
			if refused.name != "" {
				equal(t, "the parameter", shown.Name, refused.name)
				equal(t, "the title", shown.Title, "Invalid request parameter '"+refused.name+"'")
			}
		})
	}
}

func TestADeleteGivesWhatItDeleted(t *testing.T) {
	proves(t, "A7")
	eachDoor(t, func(t *testing.T, s store) {
		key := unique("delete")
		made := s.set(t, key, "", "gone")
		deleted := good(s.client.DeleteSetting(t.Context(), key, nil))(t)
		equal(t, "the value", *deleted.Value, "gone")
		equal(t, "the key", *deleted.Key, *made.Key)
		settingNotFound.by(t, failure(s.client.GetSetting(t.Context(), key, nil)))
		again := good(s.client.DeleteSetting(t.Context(), key, nil))(t)
		holds(t, "there was nothing to delete", again.Key == nil && again.Value == nil)
		equal(t, "the status", s.ask(t, http.MethodDelete, at("/kv/"+key)).status, http.StatusNoContent)
		holds(t, "the next one is another", *s.set(t, key, "", "gone").ETag != *made.ETag)
	})
}

func TestAnIdenticalSetChangesNothing(t *testing.T) {
	proves(t, "A6", "A20")
	s, key := byKey(t), unique("same")
	options := &azappconfig.SetSettingOptions{ContentType: to.Ptr("text/plain")}
	set := func(value string) azappconfig.SetSettingResponse {
		t.Helper()
		return good(s.client.SetSetting(t.Context(), key, &value, options))(t)
	}
	first := set("v")
	time.Sleep(1100 * time.Millisecond)
	second := set("v")
	equal(t, "the etag", *second.ETag, *first.ETag)
	sameTime(t, "last modified", second.LastModified, *first.LastModified)
	equal(t, "the number of revisions", len(s.revisions(t, azappconfig.SettingSelector{KeyFilter: &key})), 1)
	third := set("w")
	holds(t, "another value is a change", *third.ETag != *first.ETag)
	options.ContentType = to.Ptr("text/html")
	holds(t, "another content type is a change", *set("w").ETag != *third.ETag)
	equal(t, "the number of revisions", len(s.revisions(t, azappconfig.SettingSelector{KeyFilter: &key})), 3)
}

func TestTagsComeBackAndBelongToWhatIsCompared(t *testing.T) {
	proves(t, "A5", "A6")
	s, key := byKey(t), unique("tags")
	tags := map[string]any{"team": "ünïcode", "empty": "", "null": nil}
	first := read[rawSetting](t, s.put(t, at("/kv/"+key), map[string]any{"value": "v", "tags": tags}), "kv")
	got := s.get(t, key, "")
	equal(t, "the tag", got.Tags["team"], "ünïcode")
	equal(t, "the number of tags with a value", len(got.Tags), 2)
	shown, there := read[rawSetting](t, s.ask(t, http.MethodGet, at("/kv/"+key)), "kv").Tags["null"]
	holds(t, "a tag may be null", there && shown == nil)
	same := read[rawSetting](t, s.put(t, at("/kv/"+key), map[string]any{"value": "v", "tags": tags}), "kv")
	equal(t, "the etag", *same.Etag, *first.Etag)
	delete(tags, "team")
	other := read[rawSetting](t, s.put(t, at("/kv/"+key), map[string]any{"value": "v", "tags": tags}), "kv")
	holds(t, "other tags are a change", *other.Etag != *first.Etag)
}

func TestMembersThatTheServerOwnsAreIgnored(t *testing.T) {
	proves(t, "A6")
	s, key := byKey(t), unique("owned")
	body := map[string]any{
		"key": "other", "label": "other", "etag": "mine", "locked": true, "value": "v",
		"last_modified": "2001-01-01T00:00:00+00:00",
	}
	made := read[rawSetting](t, s.put(t, at("/kv/"+key), body), "kv")
	holds(t, "key, label and etag are the server's", *made.Key == key && made.Label == nil && *made.Etag != "mine")
	holds(t, "it is not locked", !*s.get(t, key, "").IsReadOnly)
}

func TestAnotherStoreHasOtherSettings(t *testing.T) {
	proves(t, "A5", "A6")
	s, key := byToken(t), unique("store")
	s.set(t, key, "", "here")
	settingNotFound.by(t, failure(ownStore(t).client.GetSetting(t.Context(), key, nil)))
}
