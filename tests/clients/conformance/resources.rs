//! What can be read by its URI.

use crate::samples;
use perchd::tool::{Contents, Resource};
use serde_json::json;

/// More than fit on one page of a list.
const PAGES: usize = 120;

pub(crate) fn all() -> Vec<Resource> {
    single().into_iter().chain((1..=PAGES).map(page)).collect()
}

/// One of many alike, so that clients must turn a page.
fn page(number: usize) -> Resource {
    let uri = format!("test://page/{number}");
    Resource::new(uri.clone(), format!("Page {number}"))
        .about("One page of many")
        .mime_type("text/plain")
        .handler(move |_| std::future::ready(Ok(Contents::text(uri.clone(), format!("Page {number}")).mime_type("text/plain"))))
}

fn single() -> Vec<Resource> {
    vec![
        Resource::new("test://static-text", "Static text").about("A line of text").mime_type("text/plain").handler(|_| async {
            let text = "This is the content of the static text resource.";
            Ok(Contents::text("test://static-text", text).mime_type("text/plain"))
        }),
        Resource::new("test://static-binary", "Static image")
            .about("An image")
            .mime_type("image/png")
            .handler(|_| async { Ok(Contents::blob("test://static-binary", samples::PNG).mime_type("image/png")) }),
        Resource::new("test://watched-resource", "Watched text")
            .about("A line of text that clients may watch")
            .mime_type("text/plain")
            .handler(|_| async {
                Ok(Contents::text("test://watched-resource", "Watched resource content").mime_type("text/plain"))
            }),
        Resource::new("test://template/{id}/data", "Data by id")
            .about("What belongs to an id")
            .mime_type("application/json")
            .handler(|call| async move {
                let id: String = call.arg("id")?;
                let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
                Ok(Contents::text(format!("test://template/{id}/data"), data.to_string()).mime_type("application/json"))
            }),
    ]
}
