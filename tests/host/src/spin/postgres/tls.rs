//! TLS to Postgres: the server's certificate and name are verified against the system's roots and the component's own.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A connector that trusts the system's roots, and the one in PEM if there is one.
pub(super) fn connector(own_root: Option<&str>) -> Result<MakeRustlsConnect> {
    let mut roots = RootCertStore::empty();
    // A system without roots, or with one that cannot be read, trusts fewer servers; that shows when it connects.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = own_root {
        roots.add(root_certificate(pem)?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// The first certificate of a PEM text, if it can be trusted as a root.
pub(super) fn root_certificate(pem: &str) -> Result<CertificateDer<'static>> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).context("invalid root certificate")?;
    RootCertStore::empty().add(certificate.clone()).context("invalid root certificate")?;
    Ok(certificate)
}
