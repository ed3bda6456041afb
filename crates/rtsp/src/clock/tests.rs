use super::*;

/// The only place of these tests that needs an instant to start from.
#[allow(clippy::disallowed_methods)]
fn start() -> Now {
    Now { mono: Instant::now(), wall: Wall(1_800_000_000_000_000) }
}

fn later(now: Now, us: i64) -> Now {
    Now { mono: now.mono + Duration::from_micros(us.unsigned_abs()), wall: now.wall.plus_us(us) }
}

/// A clock and what it was fed with.
struct Line {
    clock: Clock,
    begun: Now,
    quirks: QuirkCounts,
}

impl Line {
    fn new() -> Self {
        Self { clock: Clock::new(Rate::VIDEO), begun: start(), quirks: QuirkCounts::default() }
    }

    /// A frame with this time stamp comes so many microseconds after the start.
    fn frame(&mut self, timestamp: u32, us: i64) -> Stamp {
        self.take(timestamp, us, false)
    }

    fn take(&mut self, timestamp: u32, us: i64, reordered: bool) -> Stamp {
        let now = later(self.begun, us);
        let arrival = self.clock.arrive(timestamp, reordered, now, &mut self.quirks);
        let stamp = self.clock.stamp(arrival, reordered);
        self.clock.settle();
        assert!(stamp.dts <= stamp.pts, "{stamp:?}");
        stamp
    }

    fn saw(&self, expect: &[Quirk]) {
        let seen: Vec<Quirk> = self.quirks.list().into_iter().map(|(q, _)| q).collect();
        assert_eq!(seen, expect);
    }

    /// Wall time of a stamp, microseconds after the start.
    fn wall(&self, stamp: Stamp) -> i64 {
        stamp.wall.us_since(self.begun.wall)
    }
}

#[test]
fn times_go_on_where_32_bits_end() {
    let mut line = Line::new();
    let first = u32::MAX - 4_500;
    let stamps: Vec<Stamp> =
        (0..5).map(|i| line.frame(first.wrapping_add(i * 3_000), i64::from(i) * 33_333)).collect();
    for (i, stamp) in stamps.iter().enumerate() {
        let ticks = stamp.pts.0 - stamps[0].pts.0;
        assert_eq!((ticks, stamp.dts, stamp.discontinuity), (i as i64 * 3_000, stamp.pts, false));
        assert!((line.wall(*stamp) - i as i64 * 33_333).abs() < 2);
    }
    line.saw(&[]);
}

#[test]
fn wall_time_is_arrival_freed_of_what_the_network_added() {
    let mut line = Line::new();
    // The first picture waited longest.
    let mut clock = Clock::new(Rate::VIDEO);
    let burst: Vec<Arrival> = [(0, 90_000), (3_000, 95_000), (6_000, 100_000), (9_000, 110_000)]
        .into_iter()
        .map(|(t, us)| clock.arrive(t, false, later(line.begun, us), &mut line.quirks))
        .collect();
    let stamps: Vec<Stamp> = burst.into_iter().map(|a| clock.stamp(a, false)).collect();
    clock.settle();
    for (i, stamp) in stamps.iter().enumerate() {
        // The last one waited 10 ms, all others longer.
        assert!((line.wall(*stamp) - (10_000 + i as i64 * 33_333)).abs() < 10, "{stamp:?}");
    }
    // A late picture is not a late moment.
    line.clock = clock;
    let stamp = line.frame(12_000, 400_000);
    assert!((line.wall(stamp) - 143_333).abs() < 100, "{}", line.wall(stamp));
}

#[test]
fn wall_time_follows_the_drift_of_the_camera_slowly_and_without_jumps() {
    for ppm in [-300_i64, 300] {
        let mut line = Line::new();
        let (mut last, mut worst) = (None, 0);
        // Ten minutes, five pictures a second; the camera's second is not ours.
        for i in 0..3_000_i64 {
            let us = i * 200_000;
            let ticks = u32::try_from((us + us * ppm / 1_000_000) * 9 / 100).unwrap();
            let stamp = line.frame(ticks, us);
            let wall = line.wall(stamp);
            if let Some(last) = last.replace(wall) {
                let step = wall - last - 200_000;
                assert!(step.abs() < 300, "{ppm}: jumps by {step} us at {us}");
            }
            worst = worst.max((wall - us).abs());
        }
        // Uncorrected it would be 180 ms.
        assert!(worst < 20_000, "{ppm}: {worst} us");
        line.saw(&[]);
    }
}

#[test]
fn steps_of_the_cameras_clock_begin_a_new_time_line() {
    for (first, second, quirk) in [
        (900_000_000, 0, Quirk::RtpTsReset),
        (900_000_000, 900_000_000 - 270_000, Quirk::RtpTsBackward),
        (900_000_000, 900_000_000 + 324_000_000, Quirk::RtpTsStep),
        // By less than a second, but nothing comes in another order here.
        (24_000, 0, Quirk::RtpTsReset),
    ] {
        let mut line = Line::new();
        line.frame(first, 0);
        let before = line.frame(first + 3_000, 33_333);
        let stamp = line.frame(second, 66_666);
        assert!(stamp.discontinuity && !before.discontinuity, "{quirk}");
        let wall = line.wall(stamp);
        assert!((wall - 66_666).abs() < 1_000, "{quirk}: taken as {wall}");
        let next = line.frame(second + 3_000, 100_000);
        assert!(!next.discontinuity && next.pts.0 == stamp.pts.0 + 3_000, "{quirk}");
        line.saw(&[quirk]);
    }
}

#[test]
fn a_pause_or_a_late_packet_is_no_step() {
    let mut line = Line::new();
    line.frame(0, 0);
    // Five seconds in which neither a picture was taken nor one came.
    assert!(!line.frame(450_000, 5_000_000).discontinuity);
    // Two seconds of pictures that came late, all at once.
    for i in 1..=60_u32 {
        let at = 7_000_000 + i64::from(i) * 100;
        assert!(!line.frame(450_000 + i * 3_000, at).discontinuity, "{i}");
    }
    line.saw(&[]);
}

#[test]
fn small_steps_back_are_bent_and_never_given_out() {
    let mut line = Line::new();
    let a = line.frame(9_000, 0);
    let b = line.frame(9_000, 10_000);
    let c = line.frame(8_000, 20_000);
    let d = line.frame(12_000, 33_333);
    assert!(a.dts < b.dts && b.dts < c.dts && c.dts < d.dts);
    assert!([a, b, c, d].iter().all(|s| !s.discontinuity));
    line.saw(&[]);
}

#[test]
fn pictures_in_another_order_get_decoding_times() {
    // I P B B P B B, 25 a second; and with B pictures that others refer to.
    let flat = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8];
    let pyramid = [0, 4, 2, 1, 3, 8, 6, 5, 7, 12, 10, 9, 11];
    for shown in [&flat[..], &pyramid] {
        let mut line = Line::new();
        let mut last = None;
        for (i, at) in shown.iter().enumerate() {
            let stamp = line.take(90_000 + at * 3_600, i as i64 * 40_000, true);
            assert!(last.is_none_or(|l| stamp.dts > l), "{stamp:?} after {last:?}");
            assert!(!stamp.discontinuity, "{at} in {shown:?}");
            assert_eq!(stamp.pts.0 - (1 << 32), 90_000 + i64::from(*at) * 3_600);
            last = Some(stamp.dts);
        }
        line.saw(&[]);
    }
}

#[test]
fn deeper_reordering_than_thought_is_learned_with_one_break() {
    // Four pictures that are shown before the one that came first.
    let group = [5_u32, 4, 3, 2, 1];
    let mut line = Line::new();
    line.take(90_000, 0, true);
    let (mut breaks, mut last, mut count) = (0, None, 1);
    for gop in 0..10 {
        for at in group {
            let us = i64::from(count) * 40_000;
            let stamp = line.take(90_000 + (gop * 5 + at) * 3_600, us, true);
            count += 1;
            if stamp.discontinuity {
                breaks += 1;
            } else {
                assert!(last.is_none_or(|l| stamp.dts > l), "{stamp:?} after {last:?}");
            }
            last = Some(stamp.dts);
        }
    }
    assert!((1..=2).contains(&breaks), "{breaks}");
}

#[test]
fn the_clock_of_this_machine_may_be_set() {
    for step in [3_600_000_000_i64, -3_600_000_000] {
        let mut line = Line::new();
        line.frame(0, 0);
        line.frame(3_000, 33_333);
        line.begun.wall = line.begun.wall.plus_us(step);
        let stamp = line.frame(6_000, 66_666);
        assert!(stamp.discontinuity);
        assert!((line.wall(stamp) - 66_666).abs() < 1_000);
        assert!(!line.frame(9_000, 100_000).discontinuity);
        line.saw(&[]);
    }
}

#[test]
fn a_break_that_is_known_is_told_once() {
    let mut line = Line::new();
    line.clock.break_off();
    assert!(!line.frame(7, 0).discontinuity, "there was nothing before it");
    line.clock.break_off();
    assert!(line.frame(5_000_000, 33_333).discontinuity);
    assert!(!line.frame(5_003_000, 66_666).discontinuity);
    line.saw(&[]);
}

/// A report of the camera, whose clock is `skew` microseconds off.
fn report(line: &mut Line, us: i64, rtp: u32, skew: i64) {
    let now = later(line.begun, us);
    let ntp = crate::rtcp::wall_to_ntp(now.wall.plus_us(skew));
    line.clock.report(ntp, rtp, now, &mut line.quirks);
}

/// One frame each 40 ms for a minute, each 300 ms late, and a report every five seconds.
fn minute(skew: i64) -> (Line, i64) {
    let mut line = Line::new();
    let mut wall = 0;
    for i in 0..1_500_u32 {
        let us = i64::from(i) * 40_000 + 300_000;
        let stamp = line.frame(i * 3_600, us);
        wall = line.wall(stamp) - (us - 300_000);
        if i % 125 == 124 {
            // The picture of this instant has not come yet.
            let rtp = u32::try_from(us * 9 / 100).unwrap();
            report(&mut line, us, rtp, skew);
        }
    }
    (line, wall)
}

#[test]
fn reports_that_agree_with_arrival_tell_what_the_camera_took() {
    let (line, late) = minute(0);
    assert!((250_000..300_000).contains(&late), "moves slowly towards the truth: {late}");
    line.saw(&[]);
    // A clock that is two seconds off is not believed, in either direction.
    for skew in [2_000_000, -2_000_000] {
        let (line, late) = minute(skew);
        assert!((299_000..301_000).contains(&late), "{skew}: {late}");
        line.saw(&[]);
    }
}

#[test]
fn reports_of_a_wrong_time_are_counted_and_not_believed() {
    for (skew, quirk) in [
        (3_600_000_000, Quirk::SrWrong),
        (-3_600_000_000, Quirk::SrWrong),
        (6_000_000, Quirk::SrWrong),
        (-12_000_000, Quirk::SubLate),
    ] {
        let (line, late) = minute(skew);
        assert!((299_000..301_000).contains(&late), "{skew}: {late}");
        line.saw(&[quirk]);
    }
    let mut line = Line::new();
    line.frame(0, 0);
    line.clock.report(0, 0, line.begun, &mut line.quirks);
    assert_eq!(line.quirks.get(Quirk::SrWrong), 1, "zero");
    for _ in 0..3 {
        let ntp = crate::rtcp::wall_to_ntp(line.begun.wall);
        line.clock.report(ntp, 9, line.begun, &mut line.quirks);
    }
    assert_eq!(line.quirks.get(Quirk::SrWrong), 3, "frozen");
}
