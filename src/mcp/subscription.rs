//! Word of changes: lists that changed, resources that were updated (MCP 2026-07-28, basic/utilities/subscriptions; before,
//! the notifications of server/tools, server/prompts and server/resources).

use crate::json::{Members, Raw};
use crate::limits;
use crate::mcp::answer::member;
use crate::mcp::message::value;
use crate::mcp::{Error, Id};
use crate::tool::Change;
use serde::Serialize;

/// Which changes a client of the stateless dialect wants to hear of, on the stream that its request opened.
#[derive(Clone, Debug)]
pub struct Subscription {
    id: Id,
    filter: Filter,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(skip_serializing_if = "is_false")]
    tools_list_changed: bool,
    #[serde(skip_serializing_if = "is_false")]
    prompts_list_changed: bool,
    #[serde(skip_serializing_if = "is_false")]
    resources_list_changed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource_subscriptions: Vec<String>,
}

// By reference, as serde hands it over.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Filter {
    fn read(params: Raw<'_>) -> Option<Self> {
        let wanted = Members::read(params.get().as_bytes())?.take("notifications")?;
        let mut wanted = Members::of(wanted);
        let filter = Filter {
            tools_list_changed: wanted.flag("toolsListChanged"),
            prompts_list_changed: wanted.flag("promptsListChanged"),
            resources_list_changed: wanted.flag("resourcesListChanged"),
            resource_subscriptions: wanted.texts("resourceSubscriptions"),
        };
        wanted.sound(filter)
    }
}

impl Subscription {
    pub(super) fn read(id: &Id, params: Option<Raw<'_>>) -> Result<Box<Self>, Error> {
        let filter = params.and_then(Filter::read);
        let filter =
            filter.ok_or_else(|| Error::invalid_params("Invalid params: `notifications` must say what to listen for"))?;
        if filter.resource_subscriptions.len() > limits::WATCHED {
            return Err(Error::invalid_params("Invalid params: too many resourceSubscriptions"));
        }
        Ok(Box::new(Subscription { id: id.clone(), filter }))
    }

    /// The resources that it watches.
    pub(super) fn resources(&self) -> impl Iterator<Item = &str> {
        self.filter.resource_subscriptions.iter().map(String::as_str)
    }

    /// The first message of the stream: what will be heard of.
    pub(crate) fn acknowledged(&self) -> Vec<u8> {
        self.notification("notifications/subscriptions/acknowledged", |json| member(json, "notifications", &self.filter))
    }

    /// The message that says `change`, if it is to be heard of.
    pub(crate) fn message(&self, change: &Change) -> Option<Vec<u8>> {
        let wanted = match change {
            Change::Tools => self.filter.tools_list_changed,
            Change::Prompts => self.filter.prompts_list_changed,
            Change::Resources => self.filter.resources_list_changed,
            Change::Resource(uri) => self.filter.resource_subscriptions.contains(uri),
        };
        wanted.then(|| {
            self.notification(method(change), |json| {
                if let Change::Resource(uri) = change {
                    member(json, "uri", uri);
                }
            })
        })
    }

    /// The answer to the request, with which the stream ends.
    pub(crate) fn end(&self) -> Vec<u8> {
        crate::mcp::message::result(&self.id, |json| {
            json.extend_from_slice(br#"{"resultType":"complete","_meta":"#);
            self.write_meta(json);
            json.push(b'}');
        })
    }

    fn notification(&self, method: &str, members: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut json = br#"{"jsonrpc":"2.0","method":"#.to_vec();
        value(&mut json, method);
        json.extend_from_slice(br#","params":{"_meta":"#);
        self.write_meta(&mut json);
        members(&mut json);
        json.extend_from_slice(b"}}");
        json
    }

    fn write_meta(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(br#"{"io.modelcontextprotocol/subscriptionId":"#);
        json.extend_from_slice(self.id.as_json().as_bytes());
        json.push(b'}');
    }
}

fn method(change: &Change) -> &'static str {
    match change {
        Change::Tools => "notifications/tools/list_changed",
        Change::Prompts => "notifications/prompts/list_changed",
        Change::Resources => "notifications/resources/list_changed",
        Change::Resource(_) => "notifications/resources/updated",
    }
}

/// The message of the handshake dialect that says a change.
pub(crate) fn change_notification(change: &Change) -> Vec<u8> {
    let mut json = br#"{"jsonrpc":"2.0","method":"#.to_vec();
    value(&mut json, method(change));
    if let Change::Resource(uri) = change {
        json.extend_from_slice(br#","params":{"uri":"#);
        value(&mut json, uri);
        json.push(b'}');
    }
    json.push(b'}');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(id: &str, params: &str) -> Result<Box<Subscription>, i32> {
        Subscription::read(&Id::parse(id).unwrap(), Raw::read(params)).map_err(|error| error.code)
    }

    #[test]
    fn one_that_does_not_say_what_for_is_refused() {
        for params in ["{}", r#"{"notifications":[]}"#, r#"{"notifications":{"toolsListChanged":1}}"#] {
            assert_eq!(subscription("1", params).map(|_| ()), Err(-32602), "{params}");
        }
        let many = serde_json::json!({"notifications": {"resourceSubscriptions": vec!["a://b"; limits::WATCHED + 1]}});
        assert_eq!(subscription("1", &many.to_string()).map(|_| ()), Err(-32602));
    }

    #[test]
    fn only_what_was_asked_for_is_told_and_under_the_id_of_the_request() {
        let subscription =
            subscription("\"listen:0\"", r#"{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://b"]}}"#)
                .unwrap();
        assert!(subscription.message(&Change::Prompts).is_none() && subscription.message(&Change::Resources).is_none());
        assert!(subscription.message(&Change::Resource("a://c".into())).is_none());
        assert_eq!(
            String::from_utf8(subscription.message(&Change::Resource("a://b".into())).unwrap()).unwrap(),
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"listen:0"},"uri":"a://b"}}"#
        );
        assert_eq!(
            String::from_utf8(subscription.acknowledged()).unwrap(),
            r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"listen:0"},"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://b"]}}}"#
        );
    }

    #[test]
    fn older_clients_are_told_in_their_own_way() {
        assert_eq!(change_notification(&Change::Tools), br#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    }
}
