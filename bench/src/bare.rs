//! The baseline of all requests: axum over rustls, answering a constant.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::https::Https;
use crate::load::{Load, Outcome};
use crate::process::{Running, part};
use crate::{CONNECTIONS, SPAN};

/// Measures a bare server.
pub(crate) async fn measure() -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let mut command = part(&["bare"]);
    command.current_dir(folder.path());
    let (_server, line) = Running::start(command, "port ");
    let port = line.strip_prefix("port ").unwrap().parse().unwrap();
    let https = Https::new("localhost", port, &std::fs::read(folder.path().join("ca.pem")).unwrap());
    let request = b"GET /constant HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec();
    Load::new(&https, std::rc::Rc::new(move |_| request.clone())).run(CONNECTIONS, SPAN).await
}

/// The bare server; its certificate goes to `ca.pem` in the current folder.
pub(crate) fn run() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write("ca.pem", made.cert.pem()).unwrap();
    let certificate = CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let body = format!("{{\"value\":\"{}\"}}", "x".repeat(288));
    assert_eq!(body.len(), 300);
    let router = Router::new().route("/constant", get(|| async { ([("content-type", "application/json")], body) }));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("port {}", listener.local_addr().unwrap().port());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (acceptor, router) = (acceptor.clone(), router.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = TowerToHyperService::new(router);
                let builder = auto::Builder::new(TokioExecutor::new());
                // The load closes when it is done.
                drop(builder.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
}
