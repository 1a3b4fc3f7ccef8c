//! Whether a command prints what a guide shows.

/// What stands for anything: within a line for the rest of a value, alone on a line for any number of lines.
const ANYTHING: char = '…';

/// Whether the text that was printed is the one that is shown.
pub fn is_met(shown: &str, printed: &str) -> bool {
    let lines = |text: &str| -> Vec<String> { text.lines().map(|line| line.trim_end().to_owned()).collect() };
    lines_meet(&lines(shown), &lines(printed))
}

fn lines_meet(shown: &[String], printed: &[String]) -> bool {
    let Some((first, rest)) = shown.split_first() else {
        return printed.is_empty();
    };
    if first.trim() == ANYTHING.to_string() {
        return (0..=printed.len()).any(|skipped| lines_meet(rest, &printed[skipped..]));
    }
    printed
        .split_first()
        .is_some_and(|(line, others)| line_meets(first, line) && lines_meet(rest, others))
}

fn line_meets(shown: &str, printed: &str) -> bool {
    let Some((before, after)) = shown.split_once(ANYTHING) else {
        return shown == printed;
    };
    printed.strip_prefix(before).is_some_and(|printed| {
        let mut starts = printed.char_indices().map(|(at, _)| at).chain([printed.len()]);
        starts.any(|at| line_meets(after, &printed[at..]))
    })
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    let printed = "HTTP/1.1 200 OK\r\ndate: today\r\nserver: x\r\n\r\n{\"id\":\"key_12\",\"name\":\"a\"}\n";
    for shown in [
        "HTTP/1.1 200 OK\ndate: today\nserver: x\n\n{\"id\":\"key_12\",\"name\":\"a\"}\n",
        "HTTP/1.1 200 OK\n…\n\n{\"id\":\"key_…\",\"name\":\"a\"}\n",
        "…\n{\"id\":\"key_…\",…}\n",
        "…\n",
        "…\n…\n",
    ] {
        assert!(is_met(shown, printed), "{shown}");
    }
    for shown in [
        "",
        "HTTP/1.1 200 OK\n",
        "HTTP/1.1 401 Unauthorized\n…\n",
        "…\n{\"id\":\"key_…\",\"name\":\"b\"}\n",
        "…\nserver: x\n",
    ] {
        assert!(!is_met(shown, printed), "{shown}");
    }
}
