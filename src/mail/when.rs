//! Points in time, as a letter writes them.

use super::texts::{Texts, fill};
use chrono::{DateTime, Datelike};
use chrono_tz::Tz;

/// The last second of the year 9999: what headers and calendars can show.
const LAST: i64 = 253_402_300_799;

/// Whole seconds since the epoch, between 1970 and 9999.
#[must_use]
pub fn seconds(micros: i64) -> i64 {
    micros.div_euclid(1_000_000).clamp(0, LAST)
}

/// Date and time in a time zone, in the words of a language.
#[must_use]
pub fn local(micros: i64, time_zone: &str, texts: &Texts) -> String {
    let zone: Tz = time_zone.parse().unwrap_or(Tz::UTC);
    // A day from either end, or the zone's offset could lead out of what a calendar holds.
    let at = DateTime::from_timestamp(seconds(micros).min(LAST - 86_400), 0).unwrap_or_default().with_timezone(&zone);
    let (day, month) = (at.day(), at.month0() as usize);
    let day = if day == 1 { texts.first_day.to_owned() } else { day.to_string() };
    let month = texts.months.get(month).copied().unwrap_or_default();
    let (year, time) = (at.year().to_string(), at.format("%H:%M").to_string());
    let zone = zone_name(&at.format("%Z").to_string(), texts);
    fill(texts.date, &[("day", &day), ("month", month), ("year", &year), ("time", &time), ("zone", &zone)])
}

/// The abbreviation of a time zone. Where there is none, the data has the offset only.
fn zone_name(abbreviation: &str, texts: &Texts) -> String {
    if abbreviation.starts_with(['+', '-']) {
        return format!("UTC{abbreviation}");
    }
    let own = texts.zones.iter().find(|(name, _)| *name == abbreviation);
    own.map_or(abbreviation, |(_, own)| *own).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::texts::of;
    use super::*;

    /// 22 November 2026, 13:05 UTC.
    const AT: i64 = 1_795_352_700_000_000;

    #[test]
    fn dates_are_local_and_plain() {
        let zurich = |locale| local(AT, "Europe/Zurich", of(locale));
        assert_eq!(zurich("en"), "22 November 2026, 14:05 CET");
        assert_eq!(zurich("de"), "22. November 2026, 14:05 Uhr (MEZ)");
        assert_eq!(zurich("fr"), "22 novembre 2026 à 14:05 (CET)");
        assert_eq!(zurich("es"), "22 de noviembre de 2026, 14:05 (CET)");
    }

    #[test]
    fn zones_shift_the_day_and_follow_summer() {
        assert_eq!(local(AT, "Asia/Tokyo", of("en")), "22 November 2026, 22:05 JST");
        assert_eq!(local(AT, "America/Sao_Paulo", of("en")), "22 November 2026, 10:05 UTC-03");
        assert_eq!(local(AT, "No/Where", of("en")), "22 November 2026, 13:05 UTC");
        // 30 June 2026, 23:30 UTC.
        assert_eq!(local(1_782_862_200_000_000, "Europe/Paris", of("fr")), "1er juillet 2026 à 01:30 (CEST)");
        assert_eq!(local(1_782_862_200_000_000, "Europe/Berlin", of("de")), "1. Juli 2026, 01:30 Uhr (MESZ)");
    }

    #[test]
    fn far_times_do_no_harm() {
        for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
            assert!(local(i64::MAX, zone, of("en")).contains("December 9999"));
            assert!(local(i64::MIN, zone, of("en")).contains("19"));
        }
    }
}
