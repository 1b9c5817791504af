//! Letters: what they say, how they become messages, and how these reach their receivers.
//!
//! | module | what it is |
//! |---|---|
//! | [`letter`] | what a letter is |
//! | [`texts`] | its words in each language |
//! | [`render`] | a letter's subject, plain text and HTML |
//! | [`compose`](compose()) | the message around them: headers and parts |
//! | [`transport`] | SMTP, or a folder of `.eml` files |
//! | [`clean`] | what makes foreign text harmless |
//!
//! When a letter is written and when it is sent again is not decided here. There is no clock and no database.

pub mod clean;
pub mod compose;
mod folder;
pub mod letter;
pub mod render;
mod smtp;
mod smtp_url;
pub mod texts;
pub mod transport;
mod when;

pub use compose::compose;
pub use letter::{Address, Content, Letter};
pub use transport::{Failure, Mailer, Route};
