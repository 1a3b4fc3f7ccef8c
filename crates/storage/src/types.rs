//! The column types of both engines.
//!
//! Reading is lenient: what a column holds may be unreadable, and only whoever knows the row can say which one it is.
//! Those that are made here can always be written.

use diesel::{deserialize::FromSqlRow, expression::AsExpression};
use tigertrust_model::Timestamp;
#[cfg(feature = "sqlite")]
use time::{Date, Month, OffsetDateTime, Time};
use uuid::Uuid;

/// An id: `uuid` on PostgreSQL, a blob of 16 bytes on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[cfg_attr(feature = "postgres", diesel(sql_type = diesel::sql_types::Uuid))]
#[cfg_attr(feature = "sqlite", diesel(sql_type = diesel::sql_types::Binary))]
pub(crate) struct StoredId(Option<Uuid>);

impl StoredId {
    pub(crate) const fn new(id: Uuid) -> Self {
        Self(Some(id))
    }

    /// The id; none if the column holds something else.
    pub(crate) const fn read(self) -> Option<Uuid> {
        self.0
    }
}

/// A point in time: `timestamptz` on PostgreSQL, text on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[cfg_attr(feature = "postgres", diesel(sql_type = diesel::sql_types::Timestamptz))]
#[cfg_attr(feature = "sqlite", diesel(sql_type = diesel::sql_types::TimestamptzSqlite))]
pub(crate) struct StoredTime(Option<Timestamp>);

impl StoredTime {
    pub(crate) const fn new(time: Timestamp) -> Self {
        Self(Some(time))
    }

    /// The time; none if the column holds something else, such as `infinity`.
    pub(crate) const fn read(self) -> Option<Timestamp> {
        self.0
    }
}

/// JSON, as text here and on SQLite, and as `jsonb` on PostgreSQL. The text is not looked into: numbers would lose digits.
#[derive(Clone, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[cfg_attr(feature = "postgres", diesel(sql_type = diesel::sql_types::Jsonb))]
#[cfg_attr(feature = "sqlite", diesel(sql_type = diesel::sql_types::Text))]
pub(crate) struct StoredJson(pub(crate) String);

#[cfg(feature = "postgres")]
mod postgres {
    use std::io::Write as _;

    use diesel::{
        deserialize::{self, FromSql},
        pg::{Pg, PgValue, data_types::PgTimestamp},
        serialize::{self, IsNull, Output, ToSql},
        sql_types,
    };
    use tigertrust_model::Timestamp;

    use super::{StoredId, StoredJson, StoredTime};

    /// 2000-01-01, where PostgreSQL starts to count.
    const EPOCH: i64 = 946_684_800_000_000;
    /// What the binary form of `jsonb` begins with: the version of the form.
    const JSONB_VERSION: u8 = 1;

    impl ToSql<sql_types::Uuid, Pg> for StoredId {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
            out.write_all(self.0.ok_or("no id")?.as_bytes())?;
            Ok(IsNull::No)
        }
    }

    impl FromSql<sql_types::Uuid, Pg> for StoredId {
        fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
            Ok(Self(uuid::Uuid::from_slice(value.as_bytes()).ok()))
        }
    }

    impl ToSql<sql_types::Timestamptz, Pg> for StoredTime {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
            let micros = self.0.ok_or("no time")?.unix_micros() - EPOCH;
            ToSql::<sql_types::Timestamptz, Pg>::to_sql(&PgTimestamp(micros), &mut out.reborrow())
        }
    }

    impl FromSql<sql_types::Timestamptz, Pg> for StoredTime {
        fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
            let PgTimestamp(micros) = FromSql::<sql_types::Timestamptz, Pg>::from_sql(value)?;
            let time = micros
                .checked_add(EPOCH)
                .filter(|micros| Timestamp::from_unix_micros(*micros).unix_micros() == *micros);
            Ok(Self(time.map(Timestamp::from_unix_micros)))
        }
    }

    impl ToSql<sql_types::Jsonb, Pg> for StoredJson {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
            out.write_all(&[JSONB_VERSION])?;
            out.write_all(self.0.as_bytes())?;
            Ok(IsNull::No)
        }
    }

    impl FromSql<sql_types::Jsonb, Pg> for StoredJson {
        fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
            let text = value
                .as_bytes()
                .strip_prefix(&[JSONB_VERSION])
                .ok_or("another version of jsonb")?;
            Ok(Self(String::from_utf8(text.to_vec())?))
        }
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use diesel::{
        deserialize::{self, FromSql},
        serialize::{self, IsNull, Output, ToSql},
        sql_types,
        sqlite::{Sqlite, SqliteValue},
    };

    use super::{StoredId, StoredJson, StoredTime, time_from_text, time_to_text};

    impl ToSql<sql_types::Binary, Sqlite> for StoredId {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
            out.set_value(self.0.as_ref().ok_or("no id")?.as_bytes().as_slice());
            Ok(IsNull::No)
        }
    }

    impl FromSql<sql_types::Binary, Sqlite> for StoredId {
        fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
            let bytes = <Vec<u8> as FromSql<sql_types::Binary, Sqlite>>::from_sql(value)?;
            Ok(Self(uuid::Uuid::from_slice(&bytes).ok()))
        }
    }

    impl ToSql<sql_types::TimestamptzSqlite, Sqlite> for StoredTime {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
            out.set_value(self.0.and_then(time_to_text).ok_or("no time")?);
            Ok(IsNull::No)
        }
    }

    impl FromSql<sql_types::TimestamptzSqlite, Sqlite> for StoredTime {
        fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
            let text = <String as FromSql<sql_types::Text, Sqlite>>::from_sql(value)?;
            Ok(Self(time_from_text(&text)))
        }
    }

    impl ToSql<sql_types::Text, Sqlite> for StoredJson {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
            out.set_value(self.0.as_str());
            Ok(IsNull::No)
        }
    }

    impl FromSql<sql_types::Text, Sqlite> for StoredJson {
        fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
            <String as FromSql<sql_types::Text, Sqlite>>::from_sql(value).map(Self)
        }
    }
}

/// `2027-01-15 08:00:00.000000+00:00`: of one length, so that the order of the texts is the order of the times. Diesel's
/// own form leaves zeros out, and is not.
#[cfg(feature = "sqlite")]
pub(crate) fn time_to_text(time: Timestamp) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.unix_micros()) * 1000).ok()?;
    Some(format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}+00:00",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond(),
    ))
}

/// Reads exactly the form that is written: another one would break the order.
#[cfg(feature = "sqlite")]
fn time_from_text(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        all.then(|| digits.parse::<u32>().ok()).flatten()
    };
    let small = |from: usize| u8::try_from(number(from, from + 2)?).ok();
    let month = Month::try_from(small(5)?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(number(0, 4)?).ok()?, month, small(8)?).ok()?;
    let time = Time::from_hms_micro(small(11)?, small(14)?, small(17)?, number(20, 26)?).ok()?;
    let nanos = date.with_time(time).assume_utc().unix_timestamp_nanos();
    let time = Timestamp::from_unix_micros(i64::try_from(nanos / 1000).ok()?);
    (time_to_text(time).as_deref() == Some(text)).then_some(time)
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_time_reads_back_and_compares_in_order() {
        let times = [
            Timestamp::MIN,
            Timestamp::from_unix_micros(-1),
            Timestamp::from_unix_micros(0),
            Timestamp::from_unix_micros(1_000),
            Timestamp::from_unix_micros(1_000_000),
            Timestamp::from_unix_micros(1_800_000_000_123_456),
            Timestamp::MAX,
        ];
        let texts = times.map(|time| time_to_text(time).unwrap());
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!(texts[5], "2027-01-15 08:00:00.123456+00:00");
        assert_eq!(texts.each_ref().map(|text| time_from_text(text).unwrap()), times);
    }

    #[test]
    fn another_form_is_not_read() {
        for text in [
            "",
            "2027-01-15 08:00:00+00:00",
            "2027-01-15T08:00:00.000000+00:00",
            "2027-01-15 08:00:00.000000+01:00",
            "2027-02-30 08:00:00.000000+00:00",
            "2027-01-15 08:00:00.000000+00:00 ",
            "+027-01-15 08:00:00.000000+00:00",
        ] {
            assert_eq!(time_from_text(text), None, "{text}");
        }
    }
}
