//! What a client may do beyond the RFC, and what was made of it.
//!
//! A *quirk* is one named tolerance. Which quirks are on follows from what the tenant declares ([`Declared`]) and, for
//! `auto`, from what the request shows ([`Evidence`]). A quirk that fires leaves a [`Note`]: nothing is bent in silence.
//! Providers' own habits are described in [`entra`], [`okta`] and [`onelogin`]; what a profile demands against the RFC is in
//! [`interop`].

pub mod entra;
pub mod interop;
pub mod okta;
pub mod onelogin;

use super::error::Error;
use super::schema::{Attribute, Returned};
use std::fmt;

/// The provider that a tenant declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// Every tolerance that cannot be mistaken; the risky ones by evidence.
    Auto,
    Okta,
    Entra,
    OneLogin,
    /// The RFC to the letter.
    Rfc,
    /// The SCIM interoperability profile: stricter than the RFC, and against it in three places.
    Interop,
    /// IPSIE's account lifecycle profile, on top of `Interop`.
    Ipsie,
}

impl Declared {
    /// Whether the rules of the interop profile hold.
    #[must_use]
    pub fn is_interop(self) -> bool {
        matches!(self, Self::Interop | Self::Ipsie)
    }
}

/// Declares [`Quirk`] with its wire names.
macro_rules! quirks {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal),* $(,)?) => {
        /// One tolerance.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Quirk { $($(#[doc = $doc])* $variant),* }

        impl Quirk {
            /// All of them, in order of declaration.
            pub const ALL: &'static [Quirk] = &[$(Quirk::$variant),*];

            /// The quirk of that name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|q| q.name() == name)
            }

            /// The name under which it is documented and recorded.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Quirk::$variant => $name),* }
            }

            /// What is sent, and what is made of it.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Quirk::$variant => concat!($($doc),*).trim_ascii()),* }
            }
        }
    };
}

quirks! {
    /// `{"op": "Replace"}`: operation names in another case.
    OperationCase = "operation_case",
    /// `{"active": "False"}`: a boolean written as a string.
    StringBoolean = "string_boolean",
    /// `{"employeeNumber": 701984}`: a number where the schema has a string.
    NumberAsString = "number_as_string",
    /// A body without `schemas`.
    MissingSchemas = "missing_schemas",
    /// A URN in `schemas` that no schema of the resource type has.
    UnknownSchema = "unknown_schema",
    /// Extension data whose URN is not in `schemas`.
    UndeclaredExtension = "undeclared_extension",
    /// `urn:scim:schemas:extension:enterprise:1.0` and its like.
    LegacyUrn = "legacy_urn",
    /// `{"op": "replace", "value": {"name.givenName": "x"}}`: a path as a key.
    PathKey = "path_key",
    /// `{"manager": "271"}`: a bare value for a complex attribute.
    ScalarForComplex = "scalar_for_complex",
    /// `{"emails": {"value": "x"}}`: one object where a list is due.
    ObjectForArray = "object_for_array",
    /// `{"displayName": [{"value": "x"}]}`: a simple value in wrapping.
    WrappedValue = "wrapped_value",
    /// `{"manager": {"value": ""}}`: an empty reference for "none".
    EmptyReference = "empty_reference",
    /// `{"manager": {"managerId": "x"}}`: SCIM 1's name.
    ManagerId = "manager_id",
    /// `{"path": "manager"}`, `filter=department eq "x"`: an extension attribute without its URN.
    BareExtensionAttribute = "bare_extension_attribute",
    /// `urn:…:enterprise:2.0:User.manager`: a dot where the colon belongs.
    DotAfterUrn = "dot_after_urn",
    /// `filter=userName eq alice`.
    UnquotedLiteral = "unquoted_literal",
    /// `filter=active eq "True"`: a literal of another JSON type.
    LiteralType = "literal_type",
    /// `filter=manager eq "x"`: comparing a singular complex attribute, meaning its `value`.
    ComplexComparison = "complex_comparison",
    /// `filter=emails[type eq "work"].value eq "x"`.
    ValuePathSuffix = "value_path_suffix",
    /// `attributes=emails[type eq "work"]`.
    ValueFilterProjection = "value_filter_projection",
    /// A date without a time, an offset without a colon, an empty string for no date.
    LenientDateTime = "lenient_datetime",
    /// `{"op": "replace", "value": {"id": "…", "displayName": "x"}}`: read-only members in a PATCH value.
    ReadOnlyValue = "read_only_value",
    /// Unknown members beside `schemas` and `Operations`.
    EnvelopeKey = "envelope_key",
    /// `{"Operations": []}`.
    EmptyOperations = "empty_operations",
    /// `{"members": [{"value": "x", "operation": "delete"}]}` sent as a PATCH.
    Scim1GroupPatch = "scim1_group_patch",
    /// A member id that does not exist, left out.
    UnknownMember = "unknown_member",
    /// An attribute that no schema has, ignored.
    UnknownAttribute = "unknown_attribute",
    /// A password, accepted and not kept.
    PasswordDropped = "password_dropped",
    /// `emails[type eq "work"].value` on a resource without such an element: creates it.
    CreateFromFilter = "create_from_filter",
    /// `remove` with a list of values: removes only those.
    RemoveValueList = "remove_value_list",
    /// `{"terminationDate": "soon"}`: kept as it is, without effect.
    FreeTextDate = "free_text_date",
    /// `{"emails": [{"type": "work", "primary": true}]}`: an element that says nothing, left out.
    HollowElement = "hollow_element",
}

/// A set of quirks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks(u64);

impl Quirks {
    const ALWAYS: [Quirk; 2] = [Quirk::UnknownAttribute, Quirk::PasswordDropped];
    const RISKY: [Quirk; 2] = [Quirk::CreateFromFilter, Quirk::RemoveValueList];

    /// Those that are on for a declaration when the request shows nothing more.
    #[must_use]
    pub fn of(declared: Declared) -> Self {
        let all = Quirk::ALL.iter().fold(Self(0), |set, q| set.with(*q));
        match declared {
            Declared::Rfc => Self::ALWAYS.iter().fold(Self(0), |set, q| set.with(*q)),
            Declared::Interop | Declared::Ipsie => Self(0),
            Declared::Entra => all,
            Declared::Auto | Declared::Okta | Declared::OneLogin => Self::RISKY.iter().fold(all, |set, q| set.without(*q)),
        }
    }

    fn bit(q: Quirk) -> u64 {
        1 << (q as u8)
    }

    fn with(self, q: Quirk) -> Self {
        Self(self.0 | Self::bit(q))
    }

    fn without(self, q: Quirk) -> Self {
        Self(self.0 & !Self::bit(q))
    }

    /// Whether `q` is on.
    #[must_use]
    pub fn has(self, q: Quirk) -> bool {
        self.0 & Self::bit(q) != 0
    }

    /// Whether none is on.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that a declaration turns on as soon as a request shows who sent it.
    #[must_use]
    pub fn by_evidence(declared: Declared) -> Self {
        let risky = Self::RISKY.iter().fold(Self(0), |set, q| set.with(*q));
        if declared == Declared::Auto { risky } else { Self(0) }
    }

    /// Those that are on.
    pub fn iter(self) -> impl Iterator<Item = Quirk> {
        Quirk::ALL.iter().copied().filter(move |q| self.has(*q))
    }
}

/// Quirks that are switched on or off by hand, whatever the declaration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    on: Quirks,
    off: Quirks,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { on: Quirks(0), off: Quirks(0) }
    }
}

impl Tuning {
    /// Switches one.
    pub fn set(&mut self, q: Quirk, on: bool) {
        let (to, from) = if on { (&mut self.on, &mut self.off) } else { (&mut self.off, &mut self.on) };
        *to = to.with(q);
        *from = from.without(q);
    }

    /// A set with this put over it.
    #[must_use]
    pub fn over(self, quirks: Quirks) -> Quirks {
        Quirks((quirks.0 | self.on.0) & !self.off.0)
    }
}

/// A provider that a request can betray.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    Okta,
    Entra,
    OneLogin,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Okta => "okta",
            Self::Entra => "entra",
            Self::OneLogin => "onelogin",
        })
    }
}

/// Which provider sent a request, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub provider: Provider,
    pub signal: &'static str,
}

/// The parts of a request that betray its sender.
#[derive(Debug, Clone, Copy, Default)]
pub struct Client<'a> {
    pub user_agent: &'a str,
    /// Whether the header `ADSCIMVersion` is there.
    pub adscim_version: bool,
    /// The raw query string.
    pub query: &'a str,
}

impl Client<'_> {
    /// Who sent it, by its headers and query.
    #[must_use]
    pub fn evidence(&self) -> Option<Evidence> {
        entra::evidence(self).or_else(|| okta::evidence(self)).or_else(|| onelogin::evidence(self))
    }
}

/// How to read one request.
#[derive(Debug, Clone)]
pub struct Dialect {
    pub declared: Declared,
    pub evidence: Option<Evidence>,
    pub tuning: Tuning,
}

impl Dialect {
    /// Puts a declaration and what the request shows together.
    #[must_use]
    pub fn new(declared: Declared, tuning: Tuning, client: &Client<'_>) -> Self {
        Self { declared, evidence: client.evidence(), tuning }
    }

    /// The tolerances that are on when the request shows nothing more.
    #[must_use]
    pub fn quirks(&self) -> Quirks {
        self.tuning.over(Quirks::of(self.declared))
    }

    /// Starts reading.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let mut reading =
            Reading { declared: self.declared, quirks: Quirks::of(self.declared), tuning: self.tuning, notes: Vec::new(), evidence: None };
        if let Some(e) = &self.evidence {
            reading.shows(e.provider, e.signal);
        }
        reading
    }
}

/// A tolerance that fired, and what it made of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub quirk: Quirk,
    pub text: String,
}

/// The state of reading one request: what is tolerated, and what had to be.
#[derive(Debug, Clone)]
pub struct Reading {
    declared: Declared,
    quirks: Quirks,
    tuning: Tuning,
    pub notes: Vec<Note>,
    pub evidence: Option<Evidence>,
}

impl Reading {
    /// Reads for a declaration without any evidence.
    #[must_use]
    pub fn of(declared: Declared) -> Self {
        Dialect { declared, evidence: None, tuning: Tuning::default() }.reading()
    }

    /// Whether `quirk` is tolerated; if so, it is noted with what was made of it.
    pub fn allow(&mut self, quirk: Quirk, text: impl FnOnce() -> String) -> bool {
        /// One request can repeat a quirk a thousand times; the first few say it all.
        const MOST_NOTES: usize = 50;
        let on = self.has(quirk);
        if on && self.notes.len() < MOST_NOTES {
            self.notes.push(Note { quirk, text: text() });
        }
        on
    }

    /// Whether `quirk` is on, without noting anything.
    #[must_use]
    pub fn has(&self, quirk: Quirk) -> bool {
        self.tuning.over(self.quirks).has(quirk)
    }

    /// Records that the request betrays its sender; under `auto` this turns the sender's risky quirks on.
    pub fn shows(&mut self, provider: Provider, signal: &'static str) {
        if self.evidence.is_none() {
            self.evidence = Some(Evidence { provider, signal });
        }
        if self.declared == Declared::Auto && provider == Provider::Entra {
            self.quirks = Quirks::of(Declared::Entra);
        }
    }

    /// Under `auto`, a shape that only has one sensible reading turns its own quirk on.
    pub fn shape_turns_on(&mut self, quirk: Quirk) {
        if self.declared == Declared::Auto {
            self.quirks = self.quirks.with(quirk);
        }
    }

    /// Ignores a name that no schema has, with a note, or refuses it.
    ///
    /// # Errors
    /// 400 `invalidSyntax` that says why.
    pub fn unknown(&mut self, name: &str, why: &str) -> Result<(), Error> {
        if self.allow(Quirk::UnknownAttribute, || format!("{name}: ignored, {why}")) {
            return Ok(());
        }
        Err(Error::syntax(format!("{name}: {why}")))
    }

    /// Whether an attribute is to be taken for one that no schema has.
    #[must_use]
    pub fn hides(&self, attr: &Attribute) -> bool {
        let refused = attr.returned == Returned::Never && attr.name == "password" && !self.has(Quirk::PasswordDropped);
        refused || (self.declared == Declared::Ipsie && interop::is_credential(attr))
    }

    /// Whether the RFC is to be taken to the letter.
    #[must_use]
    pub fn strict(&self) -> bool {
        self.declared == Declared::Rfc || self.interop()
    }

    /// Whether the rules of the interop profile hold.
    #[must_use]
    pub fn interop(&self) -> bool {
        self.declared.is_interop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn risky_quirks_need_a_declaration_or_evidence() {
        for q in Quirks::RISKY {
            assert!(!Quirks::of(Declared::Auto).has(q) && !Quirks::of(Declared::Rfc).has(q) && Quirks::of(Declared::Entra).has(q));
        }
        let client = Client { adscim_version: true, ..Client::default() };
        assert!(Dialect::new(Declared::Auto, Tuning::default(), &client).reading().has(Quirk::CreateFromFilter));
        assert!(!Dialect::new(Declared::Rfc, Tuning::default(), &client).reading().has(Quirk::CreateFromFilter));
        assert!(!Dialect::new(Declared::Okta, Tuning::default(), &client).reading().has(Quirk::CreateFromFilter));
    }

    #[test]
    fn a_hand_wins_over_declaration_and_evidence() {
        let mut tuning = Tuning::default();
        tuning.set(Quirk::CreateFromFilter, false);
        tuning.set(Quirk::StringBoolean, true);
        let client = Client { adscim_version: true, ..Client::default() };
        assert!(!Dialect::new(Declared::Auto, tuning, &client).reading().has(Quirk::CreateFromFilter));
        assert!(Dialect::new(Declared::Rfc, tuning, &client).reading().allow(Quirk::StringBoolean, String::new));
    }

    #[test]
    fn rfc_bends_nothing_that_the_rfc_forbids() {
        assert_eq!(Quirks::of(Declared::Rfc).iter().collect::<Vec<_>>(), Quirks::ALWAYS);
    }
}
