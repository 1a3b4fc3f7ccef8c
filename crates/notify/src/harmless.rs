//! Text of other people's that stands in our mails.
//!
//! Whoever can choose a name can have it sent to a stranger under our sender's name. So it must not forge a header, a line
//! or a link.

/// A name of somebody else's choice, as one line of at most `max` characters that no mail program makes a link of: a dot,
/// colon or at sign is followed by a space where it might. A version, as browsers have, is left alone.
pub(crate) fn name(text: &str, max: usize) -> String {
    let mut unlinked = String::new();
    let mut last = ' ';
    for letter in text.chars().filter(|letter| !is_invisible(*letter)) {
        if makes_link(last, letter) {
            unlinked.push(' ');
        }
        unlinked.push(letter);
        last = letter;
    }
    one_line(&unlinked, max)
}

/// The text as one line of at most `max` characters, without such as forge, turn or hide text.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let visible: String = text
        .chars()
        .filter(|letter| !is_invisible(*letter))
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= max {
        return line;
    }
    let mut cut: String = line.chars().take(max.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// Whether two letters side by side may be the part of a word by which a program takes it for an address. Dots of other
/// scripts are dots to a browser too (UTS #46 §4).
const fn makes_link(first: char, second: char) -> bool {
    match first {
        '@' | '\u{ff20}' => true,
        '.' | ':' | '\u{3002}' | '\u{ff0e}' | '\u{ff1a}' | '\u{ff61}' => !second.is_ascii_digit(),
        _ => false,
    }
}

/// Marks that turn the direction of text, and characters that take no room.
const fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_one_line_and_no_link() {
        for (text, expected) in [
            ("Acme", "Acme"),
            ("  Acme\r\nBcc: all@example.com ", "Acme Bcc: all@ example. com"),
            ("https://evil.example", "https: //evil. example"),
            ("Acme Inc.", "Acme Inc."),
            ("a\u{202e}b\u{200b}c\u{2028}d\u{1b}[31m", "abc d [31m"),
            ("Mozilla/5.0 (X11; rv:140.0)", "Mozilla/5.0 (X11; rv:140.0)"),
            ("http://192.0.2.1/x", "http: //192.0.2.1/x"),
            ("\u{200b}\n", ""),
        ] {
            assert_eq!(name(text, 100), expected, "{text:?}");
        }
    }

    #[test]
    fn the_operator_s_own_words_may_make_links() {
        assert_eq!(one_line("auth.example.com\n", 100), "auth.example.com");
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(one_line("abcdef", 6), "abcdef");
        assert_eq!(one_line("abcdefg", 6), "abcde…");
        assert_eq!(one_line("abcd efg", 6), "abcd…");
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_line(text: String, max in 1_usize..80) {
            let line = name(&text, max);
            prop_assert!(!line.chars().any(char::is_control));
            let separated = line.contains(['\u{2028}', '\u{2029}']);
            prop_assert!(!separated);
            prop_assert!(line.chars().count() <= max);
            prop_assert_eq!(line.trim(), line.as_str());
            let letters: Vec<char> = line.chars().collect();
            prop_assert!(letters.windows(2).all(|pair| !makes_link(pair[0], pair[1]) || matches!(pair[1], ' ' | '…')));
        }
    }
}
