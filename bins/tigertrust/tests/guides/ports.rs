//! Ports of a test's own in place of those that a guide names.

/// The text with other numbers in place of those, where they stand alone.
pub fn renumber(text: &str, ports: &[(u16, u16)]) -> String {
    let mut renumbered = String::new();
    let mut number = String::new();
    // One character more ends the last number.
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_alphanumeric() || character == '_' {
            number.push(character);
            continue;
        }
        match ports.iter().find(|(port, _)| number == port.to_string()) {
            Some((_, other)) => renumbered.push_str(&other.to_string()),
            None => renumbered.push_str(&number),
        }
        number.clear();
        renumbered.push(character);
    }
    renumbered.pop();
    renumbered
}

#[test]
fn only_whole_numbers_are_ports() {
    let text = "listen 80; http://127.0.0.1:8080/80 180 80a :80";
    let other = "listen 1; http://127.0.0.1:2/1 180 80a :1";
    assert_eq!(renumber(text, &[(80, 1), (8080, 2)]), other);
}
