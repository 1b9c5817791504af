//! Statements that are put together from text and binds. User text only ever enters as a bind.

use super::backend::Conn;
use super::error::Error;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::methods::{ExecuteDsl, LoadQuery};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Bool, Double, HasSqlType, Nullable, SmallInt, Text};
use diesel::{QueryResult, RunQueryDsl};
use std::borrow::Cow;
use std::marker::PhantomData;

#[derive(Debug, Clone)]
enum Piece<'a> {
    Sql(Cow<'static, str>),
    Text(Cow<'a, str>),
    MaybeText(Option<Cow<'a, str>>),
    MaybeBig(Option<i64>),
    MaybeSmall(Option<i16>),
    MaybeBool(Option<bool>),
    Big(i64),
    Small(i16),
    Double(f64),
    Bool(bool),
}

/// A statement, or a part of one.
#[derive(Debug, Clone, Default)]
pub struct Sql<'a> {
    pieces: Vec<Piece<'a>>,
    /// Statements of a caller's making stay out of the cache of prepared ones.
    uncached: bool,
}

impl<'a> Sql<'a> {
    /// Begins with text.
    #[must_use]
    pub fn new(text: &'static str) -> Self {
        Self { pieces: vec![Piece::Sql(Cow::Borrowed(text))], uncached: false }
    }

    /// Adds text.
    #[must_use]
    pub fn sql(mut self, text: &'static str) -> Self {
        self.pieces.push(Piece::Sql(Cow::Borrowed(text)));
        self
    }

    /// Adds text that was made at run time, from trusted parts only.
    #[must_use]
    pub fn made(mut self, text: String) -> Self {
        self.pieces.push(Piece::Sql(Cow::Owned(text)));
        self
    }

    /// Adds a text bind.
    #[must_use]
    pub fn text(mut self, value: impl Into<Cow<'a, str>>) -> Self {
        self.pieces.push(Piece::Text(value.into()));
        self
    }

    /// Adds a text bind that may be null.
    #[must_use]
    pub fn maybe_text(mut self, value: Option<&'a str>) -> Self {
        self.pieces.push(Piece::MaybeText(value.map(Cow::Borrowed)));
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn big(mut self, value: i64) -> Self {
        self.pieces.push(Piece::Big(value));
        self
    }

    /// Adds a number that may be null.
    #[must_use]
    pub fn maybe_big(mut self, value: Option<i64>) -> Self {
        self.pieces.push(Piece::MaybeBig(value));
        self
    }

    /// Adds a small number that may be null.
    #[must_use]
    pub fn maybe_small(mut self, value: Option<i16>) -> Self {
        self.pieces.push(Piece::MaybeSmall(value));
        self
    }

    /// Adds a boolean that may be null.
    #[must_use]
    pub fn maybe_bool(mut self, value: Option<bool>) -> Self {
        self.pieces.push(Piece::MaybeBool(value));
        self
    }

    /// Adds a limit. SQLite plans by the value of a bare bind and would prepare the statement anew for each; the sum hides it.
    #[must_use]
    pub fn limit(self, rows: i64) -> Self {
        self.sql(" LIMIT 0 + ").big(rows)
    }

    /// Adds a small number.
    #[must_use]
    pub fn small(mut self, value: i16) -> Self {
        self.pieces.push(Piece::Small(value));
        self
    }

    /// Adds a floating-point number.
    #[must_use]
    pub fn double(mut self, value: f64) -> Self {
        self.pieces.push(Piece::Double(value));
        self
    }

    /// Adds a boolean.
    #[must_use]
    pub fn bool(mut self, value: bool) -> Self {
        self.pieces.push(Piece::Bool(value));
        self
    }

    /// Adds another part.
    #[must_use]
    pub fn and(mut self, other: Sql<'a>) -> Self {
        self.pieces.extend(other.pieces);
        self.uncached |= other.uncached;
        self
    }

    /// Adds text binds, separated by commas.
    #[must_use]
    pub fn texts<S: AsRef<str> + 'a>(mut self, values: &'a [S]) -> Self {
        for (i, value) in values.iter().enumerate() {
            if i > 0 {
                self = self.sql(", ");
            }
            self = self.text(value.as_ref());
        }
        self.uncached |= values.len() > 1;
        self
    }

    /// Keeps the statement out of the cache of prepared ones.
    #[must_use]
    pub fn uncached(mut self) -> Self {
        self.uncached = true;
        self
    }

    /// The text, with `?` for every bind: for tests of query plans.
    #[must_use]
    pub fn shape(&self) -> String {
        self.pieces.iter().map(|p| if let Piece::Sql(s) = p { s.as_ref() } else { "?" }).collect()
    }

    /// Runs it; the number of rows it touched.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn run(self, conn: &mut Conn) -> Result<usize, Error> {
        Ok(ExecuteDsl::execute(Typed::<()>(self, PhantomData), conn)?)
    }

    /// Runs it and reads rows of the SQL types `ST` into `U`.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn load<'q, ST, U>(self, conn: &mut Conn) -> Result<Vec<U>, Error>
    where
        Typed<'a, ST>: LoadQuery<'q, Conn, U>,
    {
        Ok(Typed::<ST>(self, PhantomData).load(conn)?)
    }

    /// Runs it and reads the one number that it gives; 0 when it gives none.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn number(self, conn: &mut Conn) -> Result<i64, Error> {
        let rows: Vec<i64> = self.load::<BigInt, _>(conn)?;
        Ok(rows.first().copied().unwrap_or(0))
    }
}

/// A statement with the SQL types of its columns.
pub struct Typed<'a, ST>(Sql<'a>, PhantomData<ST>);

impl<'a, ST, DB> QueryFragment<DB> for Typed<'a, ST>
where
    DB: Backend + HasSqlType<Text> + HasSqlType<BigInt> + HasSqlType<SmallInt> + HasSqlType<Double> + HasSqlType<Bool>,
    str: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
    i16: ToSql<SmallInt, DB>,
    f64: ToSql<Double, DB>,
    bool: ToSql<Bool, DB>,
    Cow<'a, str>: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.0.uncached {
            out.unsafe_to_cache_prepared();
        }
        for piece in &self.0.pieces {
            match piece {
                Piece::Sql(text) => out.push_sql(text),
                Piece::Text(v) => out.push_bind_param::<Text, str>(v.as_ref())?,
                Piece::MaybeText(v) => out.push_bind_param::<Nullable<Text>, _>(v)?,
                Piece::MaybeBig(v) => out.push_bind_param::<Nullable<BigInt>, _>(v)?,
                Piece::MaybeSmall(v) => out.push_bind_param::<Nullable<SmallInt>, _>(v)?,
                Piece::MaybeBool(v) => out.push_bind_param::<Nullable<Bool>, _>(v)?,
                Piece::Big(v) => out.push_bind_param::<BigInt, _>(v)?,
                Piece::Small(v) => out.push_bind_param::<SmallInt, _>(v)?,
                Piece::Double(v) => out.push_bind_param::<Double, _>(v)?,
                Piece::Bool(v) => out.push_bind_param::<Bool, _>(v)?,
            }
        }
        Ok(())
    }
}

impl<ST> QueryId for Typed<'_, ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<ST> Query for Typed<'_, ST> {
    type SqlType = ST;
}

impl<ST> RunQueryDsl<Conn> for Typed<'_, ST> {}
