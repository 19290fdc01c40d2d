//! MCP itself: in each revision at the address, by HTTP with SSE, and what tools there are.

use super::report::Stop;
use super::talk::{Said, Stream, Talk, in_time};
use super::way::Way;
use crate::client::fault::Fault;
use crate::client::http::Client;
use crate::client::url::Url;
use crate::error::{Error, Exit};
use crate::mcp::Revision;
use std::str;

/// Says what a client says, with the token if there is one.
pub(super) async fn speak(way: &Way<'_>, client: &Client, token: Option<&str>) -> Result<(), Stop> {
    let talk = Talk { client, token };
    let is_older = way.url.path_alone().ends_with("/sse");
    let mut tools = None;
    if !is_older {
        way.report.begin("MCP");
        for revision in Revision::ALL {
            tools = streamable(way, &talk, revision).await?.or(tools);
        }
    }
    let older = if is_older { Some(way.url.clone()) } else { beside(way.url, "/mcp", "/sse") };
    if let Some(url) = older {
        way.report.begin("MCP");
        tools = tools.or(older_transport(way, &talk, &url, is_older).await?);
    }
    way.report.begin("tools");
    told(way, tools)
}

async fn streamable(way: &Way<'_>, talk: &Talk<'_>, revision: Revision) -> Result<Option<Vec<String>>, Stop> {
    let step = format!("MCP {}", revision.as_str());
    match talk.tools(way.url, revision).await {
        Ok(Said::Tools(tools)) => {
            way.report.ok(&step, &counted(tools.len()));
            Ok(Some(tools))
        }
        Ok(Said::Otherwise(how)) => {
            way.report.absent(&step, &format!("not spoken here: {how}"));
            Ok(None)
        }
        Ok(Said::Refused(response)) if matches!(response.status, 401 | 403) => {
            Err(way.not_let_in(&step, &response, talk.token.is_some()))
        }
        Ok(Said::Refused(response)) if matches!(response.status, 404 | 405) => {
            way.report.absent(&step, &format!("not spoken here: status {}", response.status));
            Ok(None)
        }
        Ok(Said::Refused(response)) => {
            let error = way.error(&format!("the server answers with status {}", response.status));
            Err(way.failed(&step, &error.remedy("On the board, the log says why: journalctl -u perchd"), &way.curl_token()))
        }
        Err(fault) => Err(way.failed(&step, &fault.told(way.url), &way.curl_token())),
    }
}

/// HTTP with SSE. Where it is not what was asked for, a server need not have it.
async fn older_transport(way: &Way<'_>, talk: &Talk<'_>, url: &Url, is_asked_for: bool) -> Result<Option<Vec<String>>, Stop> {
    const STEP: &str = "MCP by SSE";
    let curl = way.curl("-iN --header @token.txt", url) + "   # token.txt: Authorization: Bearer ...";
    let failed = |error: Error| Err(way.failed(STEP, &error, &curl));
    let response = match talk.get_stream(url).await {
        Ok(response) => response,
        Err(Fault::Late) => return failed(held_back(url)),
        Err(fault) => return failed(fault.told(url)),
    };
    match response.status {
        200 if response.is_of("text/event-stream") => {}
        401 if !is_asked_for => {
            // A token is for one address (RFC 8707).
            way.report.unreached(STEP, &format!("it asks for a sign-in of its own: perchd doctor {url}"));
            return Ok(None);
        }
        401 | 403 => return Err(way.not_let_in(STEP, &response, talk.token.is_some())),
        404 | 405 if !is_asked_for => {
            way.report.absent(STEP, &format!("not spoken here: status {}", response.status));
            return Ok(None);
        }
        status => return failed(Error::new(Exit::Unavailable, format!("no stream comes, but status {status}")).at(url)),
    }
    let mut stream = Stream::new(response);
    let endpoint = match in_time(stream.next()).await {
        Ok(event) if event.name == "endpoint" => str::from_utf8(&event.data).ok().and_then(|text| url.join(text)),
        Ok(_) => None,
        Err(Fault::Late) => return failed(held_back(url)),
        Err(fault) => return failed(fault.told(url)),
    };
    // What listens on this computer is none of a server elsewhere, nor does it get what is meant for this one.
    let Some(endpoint) = endpoint.filter(|endpoint| endpoint.origin() == url.origin()) else {
        return failed(Error::new(Exit::Unavailable, "the stream does not begin with where to send messages").at(url));
    };
    match talk.tools_by_stream(&mut stream, &endpoint).await {
        Ok(Said::Tools(tools)) => {
            way.report.ok(STEP, &counted(tools.len()));
            Ok(Some(tools))
        }
        Ok(Said::Otherwise(how)) => failed(Error::new(Exit::Unavailable, how).at(url)),
        Ok(Said::Refused(response)) if matches!(response.status, 401 | 403) => {
            Err(way.not_let_in(STEP, &response, talk.token.is_some()))
        }
        Ok(Said::Refused(response)) => {
            failed(Error::new(Exit::Unavailable, format!("a message is answered with status {}", response.status)).at(endpoint))
        }
        Err(Fault::Late) => failed(held_back(url)),
        Err(fault) => failed(fault.told(url)),
    }
}

fn held_back(url: &Url) -> Error {
    let what = "no events come through: something on the way holds them back until the answer is complete";
    let remedy = "Switch buffering off in the proxy, for this address; for nginx: proxy_buffering off;";
    Error::new(Exit::Unavailable, what).at(url).remedy(remedy)
}

fn told(way: &Way<'_>, tools: Option<Vec<String>>) -> Result<(), Stop> {
    let Some(tools) = tools else {
        let error = way.error("the server speaks no revision of MCP that perchd speaks");
        return Err(way.failed("tools", &error, &way.curl_token()));
    };
    let all = way.plan.tool_count.filter(|all| *all > tools.len());
    if tools.is_empty() {
        let error = way.error("no tool is shown: the token has the scope of none");
        let remedy = "Sign in anew and tick more. On the board, perchd tools says which scope each tool needs.";
        return Err(way.failed("tools", &error.remedy(remedy), &way.curl_token()));
    }
    let of = all.map_or_else(String::new, |all| format!(" of {all}: the token has not the scopes of the others"));
    let names = tools.iter().take(4).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if tools.len() > 4 { ", ..." } else { "" };
    way.report.ok("tools", &format!("{}{of}: {names}{more}", counted(tools.len())));
    Ok(())
}

fn counted(count: usize) -> String {
    if count == 1 { "1 tool".to_owned() } else { format!("{count} tools") }
}

/// The address of the other transport.
fn beside(url: &Url, own: &str, other: &str) -> Option<Url> {
    url.path_alone().strip_suffix(own).map(|folder| url.with_path(&format!("{folder}{other}")))
}
