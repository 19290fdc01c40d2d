//! `add` by the official SDK for Rust: `bench-rmcp PORT [json]`.
//!
//! With sessions and events, as the SDK does by itself; with `json`, without sessions and with JSON answers, which is the
//! fastest that it offers.

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use std::env;
use std::error::Error;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Numbers {
    a: f64,
    b: f64,
}

#[derive(Clone)]
struct Sums {
    tools: ToolRouter<Self>,
}

#[tool_router(router = tools)]
impl Sums {
    #[tool(description = "Adds two numbers.")]
    fn add(&self, Parameters(Numbers { a, b }): Parameters<Numbers>) -> String {
        (a + b).to_string()
    }
}

#[tool_handler(router = self.tools)]
impl ServerHandler for Sums {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args().skip(1);
    let port = words.next().ok_or("bench-rmcp PORT [json]")?.parse::<u16>()?;
    let mut config = StreamableHttpServerConfig::default();
    if words.next().is_some_and(|word| word == "json") {
        config = config.with_legacy_session_mode(false).with_json_response(true);
    }
    Builder::new_current_thread().enable_all().build()?.block_on(serve(port, config))
}

async fn serve(port: u16, config: StreamableHttpServerConfig) -> Result<(), Box<dyn Error>> {
    let sums = Arc::new(Sums { tools: Sums::tools() });
    let service = StreamableHttpService::new(move || Ok(Arc::clone(&sums)), Arc::new(LocalSessionManager::default()), config);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            // A client that goes away is no event.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
