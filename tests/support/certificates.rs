//! Makes the certificates of a test broker's TLS listener: an authority, and a server for loopback
//! signed by it.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// Where the files of one authority and its server are.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority's certificate, for the client's `ssl.ca.location`.
    pub ca: PathBuf,
    /// The server's private key followed by its certificate chain, as Kafka's PEM key store wants
    /// them.
    pub server: PathBuf,
}

impl Certificates {
    /// Makes an authority and a server for `127.0.0.1` and `localhost`, and writes them to `ca.pem`
    /// and `server.pem`.
    pub fn write(dir: &Path) -> Self {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "odrwatch test authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate().expect("key generation needs nothing");
        let authority = CertifiedIssuer::self_signed(authority, authority_key)
            .expect("the parameters are valid");

        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut server = CertificateParams::new(names).expect("the names are valid");
        server.distinguished_name.push(DnType::CommonName, "odrwatch test broker");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server_key = KeyPair::generate().expect("key generation needs nothing");
        let server = server.signed_by(&server_key, &authority).expect("the parameters are valid");

        let files = Self { ca: dir.join("ca.pem"), server: dir.join("server.pem") };
        fs::write(&files.ca, authority.pem()).expect("the directory is writable");
        let key_and_chain = [server_key.serialize_pem(), server.pem(), authority.pem()].concat();
        fs::write(&files.server, key_and_chain).expect("the directory is writable");
        files
    }
}
