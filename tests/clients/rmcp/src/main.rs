//! rmcp, the official Rust SDK, as a client of the example server: `perchd-rmcp-client URL handshake|stateless|auto`.

use rmcp::model::{CallToolRequestParams, ClientConfig, GetPromptRequestParams, ProtocolVersion, ReadResourceRequestParams};
use rmcp::service::{ClientLifecycleMode, serve_client_with_lifecycle};
use rmcp::transport::StreamableHttpClientTransport;
use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (url, mode) = (words.next().ok_or("no URL")?, words.next().ok_or("no mode")?);
    let stateless = vec![ProtocolVersion::V_2026_07_28];
    let lifecycle = match mode.as_str() {
        "handshake" => ClientLifecycleMode::Initialize,
        "stateless" => ClientLifecycleMode::Discover { preferred_versions: stateless },
        "auto" => ClientLifecycleMode::Auto { preferred_versions: stateless, legacy_version: None },
        other => return Err(format!("no mode is called {other}").into()),
    };
    let client = serve_client_with_lifecycle(ClientConfig::default(), StreamableHttpClientTransport::from_uri(url), lifecycle).await?;
    let tools = client.list_all_tools().await?;
    println!("tools: {}", tools.iter().any(|tool| tool.name == "test_simple_text"));
    let result = client.call_tool(CallToolRequestParams::new("test_simple_text")).await?;
    println!("text: {}", result.content[0].as_text().ok_or("no text")?.text);
    let failed = client.call_tool(CallToolRequestParams::new("test_error_handling")).await?;
    println!("error: {:?}", failed.is_error);
    println!("unknown: {}", client.call_tool(CallToolRequestParams::new("nosuch")).await.is_err());
    let resources = client.list_all_resources().await?;
    // More than one page of them.
    println!("resources: {} of {}", resources.iter().any(|resource| resource.uri == "test://page/120"), resources.len());
    let contents = client.read_resource(ReadResourceRequestParams::new("test://static-text")).await?;
    println!("contents: {}", contents.contents.len());
    let prompts = client.list_all_prompts().await?;
    println!("prompts: {}", prompts.iter().any(|prompt| prompt.name == "test_simple_prompt"));
    let prompt = client.get_prompt(GetPromptRequestParams::new("test_simple_prompt")).await?;
    println!("messages: {}", prompt.messages.len());
    client.cancel().await?;
    Ok(())
}
