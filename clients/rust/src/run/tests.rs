//! What needs no server: code points, and how long to wait.

use std::time::Duration;

use super::fresh;
use crate::following::delay;

#[test]
fn pieces_are_counted_in_code_points_and_come_once() {
    let mut known = 0;

    assert_eq!(fresh(&mut known, 0, "🦊é").as_deref(), Some("🦊é"));
    assert_eq!(fresh(&mut known, 0, "🦊é!").as_deref(), Some("!"));
    assert_eq!(fresh(&mut known, 1, "é!"), None);
    assert_eq!(fresh(&mut known, 3, " ok").as_deref(), Some(" ok"));
    assert_eq!(known, 6);
}

#[test]
fn a_piece_beyond_a_gap_waits_for_the_whole() {
    let mut known = 2;

    assert_eq!(fresh(&mut known, 3, "d"), None);
    assert_eq!(fresh(&mut known, -1, "d"), None);
    assert_eq!(fresh(&mut known, 0, "abcd").as_deref(), Some("cd"));
}

#[test]
fn the_wait_doubles_up_to_five_seconds() {
    assert_eq!(delay(0), Duration::ZERO);
    for (tries, longest) in [(1, 200), (3, 800), (5, 3200), (6, 5000), (u32::MAX, 5000)] {
        let waited = delay(tries).as_millis();
        assert!((longest / 2..=longest).contains(&waited), "{waited} ms after {tries} tries");
    }
}
