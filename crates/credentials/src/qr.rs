//! QR codes (ISO/IEC 18004) as SVG.

use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// Light modules that readers need around the code.
const QUIET_ZONE: i32 = 4;

/// The text as an SVG image: of one path, with no style, no script and no reference to anything outside, so that the
/// strictest content security policy lets it stand in a page. `None` if the text is too long for a QR code.
///
/// `title` is what a screen reader says; it must be plain text without markup.
pub(crate) fn svg(text: &str, title: &'static str) -> Option<Zeroizing<String>> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size() + 2 * QUIET_ZONE;
    let mut svg = Zeroizing::new(String::with_capacity(32 * 1024));
    let dark = (0..code.size()).flat_map(|y| runs(&code, y));
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {size} {size}\" \
         shape-rendering=\"crispEdges\"><title>{title}</title>\
         <path fill=\"#fff\" d=\"M0 0h{size}v{size}H0z\"/><path fill=\"#000\" d=\""
    );
    for (x, y, length) in dark {
        let (x, y) = (x + QUIET_ZONE, y + QUIET_ZONE);
        let _ = write!(svg, "M{x} {y}h{length}v1h-{length}z");
    }
    svg.push_str("\"/></svg>");
    Some(svg)
}

/// The dark stretches of a row: where each begins and how long it is.
fn runs(code: &QrCode, y: i32) -> Vec<(i32, i32, i32)> {
    let mut runs: Vec<(i32, i32, i32)> = Vec::new();
    for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
        match runs.last_mut() {
            Some((start, _, length)) if *start + *length == x => *length += 1,
            _ => runs.push((x, y, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_has_a_name_and_refers_to_nothing() {
        let svg = svg("otpauth://totp/x", "QR code for your authenticator app").unwrap();
        assert!(
            svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 33 33\"")
        );
        assert!(svg.contains("<title>QR code for your authenticator app</title>"));
        for word in ["href", "style", "script", "url("] {
            assert!(!svg.contains(word), "{word}");
        }
        assert_eq!(svg.matches("http").count(), 1);
    }

    #[test]
    fn every_dark_module_is_drawn_once() {
        let code = QrCode::encode_text("otpauth://totp/x", QrCodeEcc::Medium).unwrap();
        for y in 0..code.size() {
            let drawn: Vec<i32> = runs(&code, y)
                .into_iter()
                .flat_map(|(x, _, length)| x..x + length)
                .collect();
            let dark: Vec<i32> = (0..code.size()).filter(|x| code.get_module(*x, y)).collect();
            assert_eq!(drawn, dark);
        }
    }
}
