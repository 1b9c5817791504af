//! Counting the operations of a bulk request while its bytes come in, so that too many are refused before all of them are there.

/// Follows a JSON text, as far as needed to count the objects in the list `Operations` of the outermost object. What is counted
/// wrongly because the text is no JSON is refused later.
#[derive(Debug, Default)]
pub struct Counter {
    depth: usize,
    text: Text,
    /// The first letters of the latest text in the outermost object.
    word: Vec<u8>,
    /// Whether the member under way is called `Operations`.
    named: bool,
    inside: bool,
    operations: usize,
}

/// Where in a text in quotes.
#[derive(Debug, Default, PartialEq, Eq)]
enum Text {
    #[default]
    Outside,
    Inside,
    /// After a backslash.
    Escaped,
}

const NAME: &[u8] = b"Operations";

impl Counter {
    /// Takes the next bytes; the number of operations so far.
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        for byte in bytes {
            if self.text == Text::Outside {
                self.step(*byte);
            } else {
                self.letter(*byte);
            }
        }
        self.operations
    }

    fn letter(&mut self, byte: u8) {
        match byte {
            _ if self.text == Text::Escaped => self.text = Text::Inside,
            b'\\' => self.text = Text::Escaped,
            b'"' => self.text = Text::Outside,
            _ if self.depth == 1 && self.word.len() <= NAME.len() => self.word.push(byte),
            _ => {}
        }
    }

    fn step(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.text = Text::Inside;
                if self.depth == 1 {
                    self.word.clear();
                }
            }
            b':' if self.depth == 1 => self.named = self.word.eq_ignore_ascii_case(NAME),
            b'[' | b'{' => {
                self.inside = if self.depth == 1 { self.named && byte == b'[' } else { self.inside };
                self.operations += usize::from(self.depth == 2 && self.inside && byte == b'{');
                self.depth += 1;
            }
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_operations_are_counted() {
        let text = r#"{"schemas":["Operations",{"a":1}],"x":{"Operations":[{},{}]},"failOnErrors":1,
            "operations" : [{"data":{"Operations":[{},{"a":"}]\\\"{["}]}},{},{"members":[{},{}]}],"Operation":[{}]}"#;
        assert_eq!(Counter::default().feed(text.as_bytes()), 3);
        let mut bytewise = Counter::default();
        assert_eq!(text.bytes().map(|b| bytewise.feed(&[b])).last(), Some(3));
        assert_eq!(Counter::default().feed(b"]}]}[{\"Operations\":[{"), 0);
    }
}
