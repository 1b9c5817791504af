//! Speaks with a mail server, step by step, so that each failure can be put down to the right side.

use super::clean;
use super::smtp_url::{Security, Server, parse};
use super::transport::Failure;
use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use std::error::Error as _;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long to wait for a connection, and for the answer to a command.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait until the server has taken the text. Many look through it first, and one that is left too early may
/// have sent it on all the same.
const LONG_PATIENCE: Duration = Duration::from_mins(1);
/// The answers that are about our own login, whatever they answer to (RFC 4954 §6).
const LOGIN: [u16; 4] = [530, 534, 535, 538];

pub(super) struct Smtp {
    server: Server,
    /// For any security but `None`.
    tls: Option<TlsParameters>,
    /// The connection that the last letter has left.
    kept: Mutex<Option<SmtpConnection>>,
}

/// What was being done when something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Connect,
    Login,
    Sender,
    /// The receiver, or the text.
    Letter,
}

impl Smtp {
    pub(super) fn open(url: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        let server = parse(url)?;
        let tls = match server.security {
            Security::None => None,
            Security::Implicit | Security::StartTls => Some(tls(&server.host, ca_file)?),
        };
        Ok(Self { server, tls, kept: Mutex::new(None) })
    }

    /// Hands a message over.
    pub(super) fn send(&self, message: &Message) -> Result<(), Failure> {
        let bytes = message.formatted();
        let mut connection = self.begin(message, &bytes)?;
        match self.hand_over(&mut connection, message, &bytes) {
            Ok(()) => {
                // The letter is gone, whatever becomes of the connection.
                if connection.set_timeout(Some(PATIENCE)).is_ok() {
                    *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
                }
                Ok(())
            }
            Err(failure) => {
                connection.abort();
                Err(failure)
            }
        }
    }

    /// A connection where the sender has been named. The server may have closed the one that was kept, so any failure
    /// there leads to a new one.
    fn begin(&self, message: &Message, bytes: &[u8]) -> Result<SmtpConnection, Failure> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut connection) = kept {
            if self.name_sender(&mut connection, message, bytes).is_ok() {
                return Ok(connection);
            }
            connection.abort();
        }
        let mut connection = self.connect()?;
        self.name_sender(&mut connection, message, bytes).inspect_err(|_| connection.abort())?;
        Ok(connection)
    }

    fn connect(&self) -> Result<SmtpConnection, Failure> {
        let (place, hello) = ((self.server.host.as_str(), self.server.port), ClientId::default());
        let at_once = self.tls.as_ref().filter(|_| self.server.security == Security::Implicit);
        let failed = |step| move |e: Error| self.failure(step, &e, "");
        let mut connection = SmtpConnection::connect(place, Some(PATIENCE), &hello, at_once, None).map_err(failed(Step::Connect))?;
        if let (Security::StartTls, Some(tls)) = (self.server.security, &self.tls) {
            if !connection.can_starttls() {
                connection.abort();
                return Err(Failure::Broken(format!("{} does not offer STARTTLS; nothing was sent", self.place())));
            }
            connection.starttls(tls, &hello).map_err(failed(Step::Connect))?;
        }
        if let Some((user, password)) = self.server.credentials.clone() {
            let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], &Credentials::new(user, password));
            login.map_err(failed(Step::Login)).inspect_err(|_| connection.abort())?;
        }
        Ok(connection)
    }

    fn name_sender(&self, connection: &mut SmtpConnection, message: &Message, bytes: &[u8]) -> Result<(), Failure> {
        let mut options = Vec::new();
        if is_beyond_ascii(message) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Failure::Refused(format!("{} takes no address beyond ASCII (SMTPUTF8)", self.place())));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        if !bytes.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
            options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let answer = connection.command(Mail::new(message.envelope().from().cloned(), options));
        answer.map(drop).map_err(|e| self.failure(Step::Sender, &e, &receiver(message)))
    }

    fn hand_over(&self, connection: &mut SmtpConnection, message: &Message, bytes: &[u8]) -> Result<(), Failure> {
        let failed = |e: Error| self.failure(Step::Letter, &e, &receiver(message));
        for address in message.envelope().to() {
            connection.command(Rcpt::new(address.clone(), Vec::new())).map_err(failed)?;
        }
        connection.command(Data).map_err(failed)?;
        connection.set_timeout(Some(LONG_PATIENCE)).map_err(|e| Failure::Later(format!("{}: {e}", self.place())))?;
        connection.message(bytes).map_err(failed)?;
        Ok(())
    }

    /// Whose fault it is, in words without the receiver's address.
    fn failure(&self, step: Step, error: &Error, receiver: &str) -> Failure {
        let said = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        let said = if step == Step::Login && self.holds_password(&said) { String::new() } else { clean::answer(&said, receiver) };
        let Some(code) = error.status().map(u16::from) else {
            let text = format!("{}: {said}", self.place());
            let insecure = step == Step::Connect && is_about_tls(error);
            return if insecure || error.is_client() { Failure::Broken(text) } else { Failure::Later(text) };
        };
        let text = format!("{} answered {code} {said}", self.place());
        match step {
            _ if code < 500 => Failure::Later(text),
            Step::Letter if !LOGIN.contains(&code) => Failure::Refused(text),
            _ => Failure::Broken(text),
        }
    }

    /// Whether a server has repeated our password.
    fn holds_password(&self, said: &str) -> bool {
        self.server.credentials.as_ref().is_some_and(|(_, password)| said.contains(password.as_str()))
    }

    fn place(&self) -> String {
        format!("{}:{}", self.server.host, self.server.port)
    }
}

fn is_beyond_ascii(message: &Message) -> bool {
    let envelope = message.envelope();
    envelope.from().into_iter().chain(envelope.to()).any(|address| !address.to_string().is_ascii())
}

fn receiver(message: &Message) -> String {
    message.envelope().to().first().map(ToString::to_string).unwrap_or_default()
}

/// Whether TLS refused. The first read after connecting reports it, as data that is not valid.
fn is_about_tls(error: &Error) -> bool {
    let io = error.source().and_then(|e| e.downcast_ref::<io::Error>());
    error.is_tls() || io.is_some_and(|e| e.kind() == io::ErrorKind::InvalidData)
}

/// How to verify the server: by the system's certificates and those of a file. TLS 1.2 is the least.
fn tls(host: &str, ca_file: Option<&Path>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca_file {
        let wrong = |e: &dyn std::fmt::Display| format!("the certificates in {} cannot be used: {e}", path.display());
        let pem = std::fs::read(path).map_err(|e| wrong(&e))?;
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(wrong(&"there are none in PEM form"));
        }
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|e| wrong(&e))?);
    }
    builder.build().map_err(|e| format!("TLS cannot be used with the mail server {host}: {e}"))
}
