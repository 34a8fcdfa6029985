import StrictJSON
import Testing

/// One text and what a strict reader makes of it.
struct JSONVector: Sendable, CustomTestStringConvertible {
  enum Verdict: Sendable {
    /// Read, and written again in this canonical text.
    case accepted(String)
    case refused(JSONError.Kind)
  }

  let about: String
  let bytes: [UInt8]
  let verdict: Verdict

  var testDescription: String { about }

  /// A text that is canonical already.
  static func take(_ text: String, _ about: String) -> JSONVector {
    JSONVector(about: about, bytes: Array(text.utf8), verdict: .accepted(text))
  }

  static func take(_ text: String, as canonical: String, _ about: String) -> JSONVector {
    JSONVector(about: about, bytes: Array(text.utf8), verdict: .accepted(canonical))
  }

  static func take(bytes: [UInt8], as canonical: String, _ about: String) -> JSONVector {
    JSONVector(about: about, bytes: bytes, verdict: .accepted(canonical))
  }

  /// A text against the grammar.
  static func refuse(_ text: String, _ about: String) -> JSONVector {
    refuse(text, .syntax, about)
  }

  static func refuse(_ text: String, _ kind: JSONError.Kind, _ about: String) -> JSONVector {
    refuse(bytes: Array(text.utf8), kind, about)
  }

  /// Bytes that are no UTF-8, or hold NUL.
  static func refuse(bytes: [UInt8], _ about: String) -> JSONVector {
    refuse(bytes: bytes, .encoding, about)
  }

  static func refuse(bytes: [UInt8], _ kind: JSONError.Kind, _ about: String) -> JSONVector {
    JSONVector(about: about, bytes: bytes, verdict: .refused(kind))
  }

  /// A string of bytes that are no UTF-8, or hold NUL.
  static func refuse(inString content: [UInt8], _ about: String) -> JSONVector {
    refuse(bytes: [0x22] + content + [0x22], about)
  }

  static let all = written + generated

  static let written: [JSONVector] = [
    words, whiteSpace, arrays, objects, endings, numbers, badNumbers, decidedNumbers, strings, escapes,
    badStrings,
    surrogates, encodings, decidedEncodings, nesting,
  ].flatMap(\.self)
}

private let nines = String(repeating: "9", count: 128)
private let tab = "\t"
/// U+FDD0, which the compiler takes in no literal.
private let arabicNoncharacter = String(decoding: [0xEF, 0xB7, 0x90] as [UInt8], as: UTF8.self)

/// The categories of the public test suites for JSON parsers, in cases of our own. Those named `decided` are
/// what RFC 8259 leaves to each reader; the description states what this one does.
extension JSONVector {
  static let words: [JSONVector] = [
    .take("true", "true by itself"),
    .take("false", "false by itself"),
    .take("null", "null by itself"),
    .take("[true,false,null]", "the three words in an array"),
    .refuse("tru", "true cut short"),
    .refuse("fals", "false cut short"),
    .refuse("nul", "null cut short"),
    .refuse("t", "a single letter t"),
    .refuse("[n]", "null cut short before a bracket"),
    .refuse("truth", "another word that begins like true"),
    .refuse("True", "a capital in true"),
    .refuse("FALSE", "false in capitals"),
    .refuse("Null", "a capital in null"),
    .refuse("nil", "Swift's word for nothing"),
    .refuse("undefined", "JavaScript's word for nothing"),
    .refuse("truefalse", "two words without anything between"),
    .refuse("nulll", "one letter too many"),
    .refuse("[true false]", "two words without a comma"),
    .refuse("hello", "a bare word"),
    .refuse("'a'", "apostrophes instead of quotation marks"),
    .refuse("`a`", "backticks instead of quotation marks"),
  ]

  static let whiteSpace: [JSONVector] = [
    .take(" 1", as: "1", "a space in front"),
    .take("1 ", as: "1", "a space behind"),
    .take("\t\n\r 1 \r\n\t", as: "1", "all four kinds of white space on both sides"),
    .take("[ ]", as: "[]", "a space in an empty array"),
    .take("{ }", as: "{}", "a space in an empty object"),
    .take("[\n]", as: "[]", "a newline in an empty array"),
    .take("[1 , 2]", as: "[1,2]", "a space before a comma"),
    .take("[ 1\t,\r\n2\n]", as: "[1,2]", "white space around every element"),
    .take("{ \"a\" : 1 }", as: #"{"a":1}"#, "white space around a colon"),
    .take(
      "{\r\n\"a\"\r\n:\r\n1\r\n,\r\n\"b\"\r\n:\r\n2\r\n}", as: #"{"a":1,"b":2}"#, "lines that end in CR LF"),
    .take("\"  \"", "spaces in a string stay"),
    .refuse("", "nothing at all"),
    .refuse(" ", "one space"),
    .refuse("\n\n\r\n", "nothing but line ends"),
    .refuse("\u{C}1", "a form feed in front"),
    .refuse("[\u{B}1]", "a vertical tab in an array"),
    .refuse("[\u{8}]", "a backspace in an array"),
    .refuse("\u{A0}1", "a no-break space in front"),
    .refuse("[\u{2028}]", "a line separator in an array"),
    .refuse("[\u{2003}1]", "an em space in an array"),
    .refuse("[\u{3000}]", "an ideographic space in an array"),
    .refuse("[1\u{85}]", "a next-line control behind a number"),
    .refuse("[\u{200B}]", "a zero-width space in an array"),
    .refuse("[\u{7F}]", "a delete character in an array"),
    .refuse("[\u{1B}]", "an escape character in an array"),
    .refuse("t rue", "a space within a word"),
    .refuse("[1 2]", "only a space between elements"),
    .refuse("- 1", "a space behind a minus"),
    .refuse("1 000", "a space between groups of digits"),
    .refuse("// note\n1", "a line comment"),
    .refuse("/* note */1", "a block comment in front"),
    .refuse("1/**/", "a block comment behind"),
    .refuse("[1]# note", "a hash comment behind"),
    .refuse("{\"a\":/*1*/2}", "a block comment within an object"),
    .refuse("{\"a\":1}/", "a comment that has just begun"),
  ]

  static let arrays: [JSONVector] = [
    .take("[]", "an empty array"),
    .take("[[]]", "an empty array in an array"),
    .take("[[],[]]", "two empty arrays in an array"),
    .take("[1]", "one element"),
    .take("[1,2,3]", "three elements"),
    .take("[\"\"]", "an empty string as element"),
    .take("[null,1,\"a\",true,[],{}]", "an element of every kind"),
    .take("[1,1,1]", "the same element three times"),
    .take("[[1,[2,[3]]]]", "arrays within arrays"),
    .take("[{},{\"a\":[{}]}]", "objects and arrays by turns"),
    .take("[1,null,null,null,2]", "nulls in a row"),
    .refuse("[", "an opening bracket"),
    .refuse("]", "a closing bracket"),
    .refuse("[1", "an array that is not closed"),
    .refuse("[1,", "an array that ends behind a comma"),
    .refuse("[\"a\"", "an array that is not closed behind a string"),
    .refuse("[[1]", "an inner array closed, the outer not"),
    .refuse("[1]]", "one closing bracket too many"),
    .refuse("[1,]", "a comma before the closing bracket"),
    .refuse("[1,,]", "two commas before the closing bracket"),
    .refuse("[,1]", "a comma behind the opening bracket"),
    .refuse("[,]", "a comma and nothing else"),
    .refuse("[1,,2]", "two commas in a row"),
    .refuse("[1;2]", "a semicolon between elements"),
    .refuse("[1:2]", "a colon between elements"),
    .refuse("[\"a\" \"b\"]", "two strings without a comma"),
    .refuse("[1 true]", "two scalars without a comma"),
    .refuse("[[][]]", "two arrays without a comma"),
    .refuse("[1}", "an array closed by a brace"),
    .refuse("(1)", "round brackets"),
    .refuse("<1>", "angle brackets"),
    .refuse("[a]", "a bare word as element"),
    .refuse("[\"a\":1]", "a member in an array"),
    .refuse("[*]", "an asterisk as element"),
    .refuse("[-]", "a minus as element"),
    .refuse("[\"", "an array that ends in an opening quotation mark"),
    .refuse("[\"\\", "an array that ends in a backslash"),
    .refuse("1]", "a closing bracket behind a scalar"),
    .refuse("[1,\n2\n,3", "three lines of an array that is not closed"),
  ]

  static let objects: [JSONVector] = [
    .take("{}", "an empty object"),
    .take(#"{"a":1}"#, "one member"),
    .take(#"{"":0}"#, "an empty key"),
    .take(#"{"a":{},"b":[]}"#, "empty containers as values"),
    .take(#"{"b":1,"a":2}"#, as: #"{"a":2,"b":1}"#, "keys out of order"),
    .take(#"{"a":1,"A":2}"#, as: #"{"A":2,"a":1}"#, "keys that differ in case only"),
    .take(#"{"a":"a"}"#, "a value that is its key"),
    .take(#"{"a b":1}"#, "a space in a key"),
    .take(#"{"\"":1}"#, "a quotation mark in a key"),
    .take(#"{"\\":1}"#, "a backslash in a key"),
    .take(#"{"k\n":1}"#, "a newline escape in a key"),
    .take(#"{"\u0061":1}"#, as: #"{"a":1}"#, "a letter escaped in a key"),
    .take(#"{"__proto__":1,"constructor":2}"#, "keys that mean something in JavaScript"),
    .take(#"{"a":{"a":{"a":null}}}"#, "the same key at every level"),
    .take("{\"é\":1,\"e\u{301}\":2}", as: "{\"e\u{301}\":2,\"é\":1}", "keys that differ in normal form only"),
    .take("{\"💬\":1,\"ﬀ\":2}", as: "{\"ﬀ\":2,\"💬\":1}", "keys in order of scalars, not of UTF-16"),
    .take(#"{"a":1,"aa":2,"aaa":3}"#, "keys that begin alike"),
    .refuse("{", "an opening brace"),
    .refuse("}", "a closing brace"),
    .refuse(#"{"a""#, "an object that ends behind a key"),
    .refuse(#"{"a":"#, "an object that ends behind a colon"),
    .refuse(#"{"a":1"#, "an object that is not closed"),
    .refuse(#"{"a":1,"#, "an object that ends behind a comma"),
    .refuse(#"{"a":1,}"#, "a comma before the closing brace"),
    .refuse(#"{"a":1,,}"#, "two commas before the closing brace"),
    .refuse(#"{"a":1,,"b":2}"#, "two commas between members"),
    .refuse(#"{,"a":1}"#, "a comma behind the opening brace"),
    .refuse("{,}", "a comma and nothing else in braces"),
    .refuse(#"{"a"}"#, "a key without a value"),
    .refuse(#"{"a":}"#, "a colon without a value"),
    .refuse(#"{"a":,"b":1}"#, "a comma instead of a value"),
    .refuse(#"{:1}"#, "a value without a key"),
    .refuse(#"{"a" 1}"#, "no colon between key and value"),
    .refuse(#"{"a"::1}"#, "two colons"),
    .refuse(#"{"a","b"}"#, "a comma instead of a colon"),
    .refuse(#"{"a"=1}"#, "an equals sign instead of a colon"),
    .refuse(#"{"a"=>1}"#, "an arrow instead of a colon"),
    .refuse(#"{"a":1 "b":2}"#, "no comma between members"),
    .refuse(#"{"a":1;"b":2}"#, "a semicolon between members"),
    .refuse(#"{"a":1 2}"#, "two values for one key"),
    .refuse("{a:1}", "a key without quotation marks"),
    .refuse("{'a':1}", "a key in apostrophes"),
    .refuse("{1:1}", "a number as key"),
    .refuse("{null:1}", "null as key"),
    .refuse("{[]:1}", "an array as key"),
    .refuse("{{}:1}", "an object as key"),
    .refuse(#"{"a":1]"#, "an object closed by a bracket"),
    .refuse(#"{"a":1}}"#, "one closing brace too many"),
    .refuse(#"{"a":{"b":1}"#, "an inner object closed, the outer not"),
    .refuse(#"{"a":b}"#, "a bare word as value"),
    .refuse(#"{"a:1}"#, "a key that is not closed"),
    .refuse("{\"a\u{1}\":1}", "a raw control character in a key"),
    .refuse(#"{"a\u0000":1}"#, .encoding, "NUL escaped in a key"),
    .refuse(#"{"\uD800":1}"#, .encoding, "half a surrogate pair in a key"),
    .refuse(#"{"a":1,"a":1}"#, .duplicateKey, "the same member twice"),
    .refuse(#"{"a":1,"a":2}"#, .duplicateKey, "the same key with two values"),
    .refuse(#"{"":1,"":2}"#, .duplicateKey, "the empty key twice"),
    .refuse(#"{"a":1,"b":2,"c":3,"a":4}"#, .duplicateKey, "the same key with others between"),
    .refuse(#"{"a":1,"\u0061":2}"#, .duplicateKey, "the same key, once escaped"),
    .refuse(#"{"\/":1,"/":2}"#, .duplicateKey, "the same slash, once escaped"),
    .refuse("{\"💬\":1,\"\\uD83D\\uDCAC\":2}", .duplicateKey, "the same character, once as a surrogate pair"),
    .refuse(#"[{"x":{"a":1,"a":2}}]"#, .duplicateKey, "the same key twice, further inside"),
    .refuse(
      #"{"a":{"a":1,"b":1},"b":{"b":1,"b":1}}"#, .duplicateKey, "a key twice in one of two inner objects"),
  ]

  static let endings: [JSONVector] = [
    .refuse("1 2", "two numbers"),
    .refuse("1,2", "two numbers and a comma"),
    .refuse("1,", "a comma behind a value"),
    .refuse("[]x", "a letter behind an array"),
    .refuse("[][]", "two arrays"),
    .refuse("{}{}", "two objects"),
    .refuse("{}\n{}\n", "two lines of JSON"),
    .refuse("\"a\"\"b\"", "two strings"),
    .refuse("\"a\"b", "a letter behind a string"),
    .refuse("{}#", "a hash behind an object"),
    .refuse("{}\"", "a quotation mark behind an object"),
    .refuse("null;", "a semicolon behind a word"),
    .refuse(":1", "a colon in front"),
    .refuse(",1", "a comma in front"),
    .refuse("&1", "an ampersand in front"),
    .refuse("\\u0031", "an escape outside a string"),
    .refuse("\\", "a backslash"),
    .refuse("\"", "a quotation mark"),
    .refuse("é", "a letter outside ASCII by itself"),
    .refuse("[é]", "a letter outside ASCII as element"),
    .refuse("[１]", "a fullwidth digit as element"),
    .refuse("“a”", "curly quotation marks"),
    .refuse("a=1", "a line of a form"),
    .refuse("<json/>", "a line of XML"),
    .refuse(")]}',\n{}", "a guard against script inclusion"),
    .refuse("callback({})", "a function call around an object"),
    .refuse("{\"a\":true}\u{1E}", "a record separator behind an object"),
    .refuse(bytes: [0x31, 0x32, 0x00], "NUL behind a number"),
    .refuse(bytes: [0x00], "NUL by itself"),
    .refuse(bytes: [0x5B, 0x00, 0x5D], "NUL in an array"),
    .refuse(bytes: [0x7B, 0x7D, 0x00], "NUL behind an object"),
  ]

  static let numbers: [JSONVector] = [
    .take("0", "zero"),
    .take("-0", "zero with a minus"),
    .take("1", "one"),
    .take("-1", "minus one"),
    .take("10", "a zero at the end"),
    .take("123456789", "nine digits"),
    .take("0.0", "zero with a fraction"),
    .take("-0.0", "negative zero with a fraction"),
    .take("0.5", "a half"),
    .take("-0.5", "minus a half"),
    .take("1.50", "a zero at the end of a fraction stays"),
    .take("0.001", "zeros at the start of a fraction"),
    .take("3.141592653589793", "as many digits as a double has"),
    .take("3.14159265358979323846264338327950288419716939937510", "more digits than a double has"),
    .take("1e5", "an exponent"),
    .take("1E5", "an exponent with a capital"),
    .take("1e+5", "an exponent with a plus"),
    .take("1E+5", "an exponent with a capital and a plus"),
    .take("1e-5", "an exponent with a minus"),
    .take("1E-5", "an exponent with a capital and a minus"),
    .take("1e0", "an exponent of zero"),
    .take("1e-0", "an exponent of minus zero"),
    .take("1e005", "zeros at the start of an exponent"),
    .take("0e1", "zero with an exponent"),
    .take("0e+1", "zero with an exponent and a plus"),
    .take("-0e-1", "minus zero with a negative exponent"),
    .take("1.5e3", "a fraction and an exponent"),
    .take("-12.5E-3", "a sign, a fraction and an exponent"),
    .take("9007199254740993", "an integer a double cannot hold exactly"),
    .take("9223372036854775807", "the greatest integer of 64 bits"),
    .take("-9223372036854775808", "the least integer of 64 bits"),
    .take("9223372036854775808", "one above the greatest integer of 64 bits"),
    .take("18446744073709551616", "two to the power of 64"),
    .take("1.7976931348623157e308", "the greatest double"),
    .take("-1.7976931348623157e308", "the least double"),
    .take("2.2250738585072014e-308", "the least normal double"),
    .take("[0,-0,0.0,1e1]", "numbers in an array"),
  ]

  static let badNumbers: [JSONVector] = [
    .refuse("-", "a minus by itself"),
    .refuse("+1", "a plus in front"),
    .refuse("--1", "two minus signs"),
    .refuse("-+1", "a minus and a plus"),
    .refuse("++1", "two plus signs"),
    .refuse("00", "two zeros"),
    .refuse("01", "a zero in front"),
    .refuse("-01", "a minus and a zero in front"),
    .refuse("-00", "a minus and two zeros"),
    .refuse("012", "an octal number of old"),
    .refuse("0o17", "an octal number"),
    .refuse("0x1F", "a hexadecimal number"),
    .refuse("0x", "a hexadecimal prefix"),
    .refuse("0b11", "a binary number"),
    .refuse("FF", "hexadecimal digits without a prefix"),
    .refuse("1F", "a hexadecimal digit behind a digit"),
    .refuse(".", "a dot"),
    .refuse(".5", "no digit before the dot"),
    .refuse("-.5", "a minus and no digit before the dot"),
    .refuse("1.", "no digit behind the dot"),
    .refuse("-1.", "a minus and no digit behind the dot"),
    .refuse("0.", "zero and a dot"),
    .refuse("[1.]", "no digit behind the dot, in an array"),
    .refuse("1..5", "two dots"),
    .refuse("1.2.3", "two fractions"),
    .refuse("0.1.2", "two fractions behind zero"),
    .refuse("1,5", "a decimal comma"),
    .refuse("1e", "no digit behind the e"),
    .refuse("1E", "no digit behind the capital E"),
    .refuse("1e+", "no digit behind the plus of an exponent"),
    .refuse("1e-", "no digit behind the minus of an exponent"),
    .refuse("0e", "zero and an e"),
    .refuse("0E+", "zero, a capital E and a plus"),
    .refuse("1.e5", "an exponent right behind the dot"),
    .refuse("1.0e", "a fraction and no digit behind the e"),
    .refuse("1.0e+", "a fraction and no digit behind the plus"),
    .refuse("e5", "an exponent by itself"),
    .refuse("1ee5", "two letters e"),
    .refuse("1e5e5", "two exponents"),
    .refuse("1e+-5", "two signs in an exponent"),
    .refuse("1e5.5", "a fraction in an exponent"),
    .refuse("1 e5", "a space before an exponent"),
    .refuse("1_000", "an underscore between digits"),
    .refuse("1'000", "an apostrophe between digits"),
    .refuse("1/2", "a fraction with a bar"),
    .refuse("1+2", "a sum"),
    .refuse("50%", "a percent sign"),
    .refuse("$5", "a dollar sign"),
    .refuse("5a", "a letter behind a digit"),
    .refuse("-a", "a letter behind a minus"),
    .refuse("5n", "a big integer of JavaScript"),
    .refuse("1.5f", "a float of C"),
    .refuse("10L", "a long of C"),
    .refuse("NaN", "not a number"),
    .refuse("-NaN", "minus not a number"),
    .refuse("nan", "not a number in lower case"),
    .refuse("Infinity", "infinity"),
    .refuse("-Infinity", "minus infinity"),
    .refuse("+Infinity", "plus infinity"),
    .refuse("inf", "infinity in short"),
    .refuse("[-foo]", "a word behind a minus"),
    .refuse("∞", "the sign for infinity"),
    .refuse("−1", "a typographic minus"),
    .refuse("[1２]", "a fullwidth digit behind a digit"),
    .refuse("1٫5", "an Arabic decimal separator"),
    .refuse("½", "a vulgar fraction"),
    .refuse(bytes: [0x31, 0x80], "a stray continuation byte behind a digit"),
    .refuse(bytes: [0x5B, 0x2D, 0xE5, 0x5D], "a cut-off sequence behind a minus"),
    .refuse(bytes: [0x5B, 0x31, 0x65, 0xE5, 0x5D], "a cut-off sequence behind an e"),
    .refuse(bytes: [0x5B, 0x30, 0x2E, 0xFF, 0x5D], "an impossible byte behind a dot"),
  ]

  static let decidedNumbers: [JSONVector] = [
    .refuse("1e309", .numberRange, "above the greatest double: refused, not infinity"),
    .refuse("-1e309", .numberRange, "below the least double: refused"),
    .refuse("1.8e308", .numberRange, "just above the greatest double: refused"),
    .refuse("[123.456e789]", .numberRange, "far above the greatest double, in an array: refused"),
    .refuse("1e400000", .numberRange, "an exponent of six digits: refused"),
    .refuse(
      "-1e+99999999999999999999999999", .numberRange, "an exponent beyond 64 bits: refused without a trap"),
    .refuse("0.1e00123456789012345678901234567890", .numberRange, "an endless exponent after zeros: refused"),
    .refuse("1e-400", .numberRange, "below the least positive double: refused, not zero"),
    .refuse("-1e-400", .numberRange, "above the greatest negative double: refused, not minus zero"),
    .refuse("2e-324", .numberRange, "what rounds to zero: refused"),
    .refuse("1e-99999999999999999999999999", .numberRange, "a negative exponent beyond 64 bits: refused"),
    .refuse("0e1000", .numberRange, "zero with an exponent above 999: refused, databases do so too"),
    .refuse("0.0e-1000", .numberRange, "zero with an exponent below -999: refused"),
    .take("5e-324", "the least positive double: read"),
    .take("3e-324", "what rounds to the least positive double: read"),
    .take("0e999", "zero with a large exponent: read"),
    .take("-0e-999", "minus zero with a large negative exponent: read"),
    .take(
      "0.00000000000000000000000000000000000000001e340", "an exponent that the fraction makes up for: read"),
    .take(nines, "a literal of 128 digits: read"),
    .refuse(nines + "9", .numberRange, "a literal of 129 digits: refused"),
    .take("0." + nines.dropLast(2), "a fraction of 126 digits: read"),
    .refuse("0." + nines.dropLast(1), .numberRange, "a fraction of 127 digits: refused"),
    .refuse("1e" + String(repeating: "0", count: 127), .numberRange, "an exponent of 127 zeros: refused"),
    .take("1e" + String(repeating: "0", count: 126), "an exponent of 126 zeros: read"),
    .take("123123123123123123123123123123", "an integer of 30 digits: read, as written"),
    .take("-123123123123123123123123123123", "a negative integer of 30 digits: read, as written"),
    .refuse("0.4e00669", .numberRange, "a large exponent behind zeros: refused"),
  ]

  static let strings: [JSONVector] = [
    .take("\"\"", "an empty string"),
    .take("\"a\"", "one letter"),
    .take("\"abcdefg\"", "seven letters"),
    .take("\"abcdefgh\"", "eight letters"),
    .take("\"abcdefghi\"", "nine letters"),
    .take("\"The quick brown fox jumps over the lazy dog.\"", "a sentence"),
    .take("\" \"", "a space"),
    .take("\"'\"", "an apostrophe"),
    .take("\"/\"", "a slash"),
    .take("\"/* a */\"", "what looks like a comment"),
    .take("\"[{,:}]\"", "punctuation of the grammar"),
    .take("\"null\"", "a word in quotation marks"),
    .take("\"1e400000\"", "a number in quotation marks"),
    .take("\"\u{7F}\"", "a delete character, which is no control character to JSON"),
    .take("\"\u{80}\u{9F}\"", "control characters of Latin-1"),
    .take("\"é\"", "two bytes"),
    .take("\"e\u{301}\"", "a letter and a combining accent"),
    .take("\"€\"", "three bytes"),
    .take("\"漢字かな\"", "Chinese and Japanese"),
    .take("\"שלום\"", "right to left"),
    .take("\"💬\"", "four bytes"),
    .take("\"👩‍👩‍👧\"", "a family joined from five scalars"),
    .take("\"\u{A0}\"", "a no-break space"),
    .take("\"\u{2028}\u{2029}\"", "a line separator and a paragraph separator"),
    .take("\"\u{200B}\u{200F}\u{202E}\"", "characters without width"),
    .take("\"\u{D7FF}\u{E000}\"", "the scalars next to the surrogates"),
    .take("\"\u{7FF}\u{800}\"", "the last of two bytes and the first of three"),
    .take("\"\u{FFFF}\u{10000}\"", "the last of three bytes and the first of four"),
    .take("\"a\u{10FFFF}b\"", "the last scalar between letters"),
    .take("\"\u{FFFD}\"", "a replacement character that was sent as such"),
    .take("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaé\"", "a letter outside ASCII after a long run"),
  ]

  static let escapes: [JSONVector] = [
    .take(#""\"""#, "an escaped quotation mark"),
    .take(#""\\""#, "an escaped backslash"),
    .take(#""\/""#, as: #""/""#, "an escaped slash"),
    .take(#""\b\f\n\r\t""#, "the five short escapes"),
    .take(#""\\n""#, "an escaped backslash and a letter n"),
    .take(#""\\\"""#, "a backslash and a quotation mark, both escaped"),
    .take(#""\\\\\\""#, "three backslashes"),
    .take(#""\\u0000""#, "an escaped backslash before what would be NUL"),
    .take(#""\u0041""#, as: #""A""#, "a letter by number"),
    .take(#""\u0022""#, as: #""\"""#, "a quotation mark by number"),
    .take(#""\u005C""#, as: #""\\""#, "a backslash by number"),
    .take(#""\u005Cu0041""#, as: #""\\u0041""#, "a backslash by number, before what would be an escape"),
    .take(#""\u002f""#, as: #""/""#, "a slash by number"),
    .take(#""\u0001""#, "the first control character"),
    .take(#""\u001f""#, "the last control character"),
    .take(#""\u001F""#, as: #""\u001f""#, "a capital among the digits"),
    .take(#""\u000a\u000D""#, as: #""\n\r""#, "line ends by number"),
    .take(#""\u0020""#, as: "\" \"", "a space by number"),
    .take(#""\u007f""#, as: "\"\u{7F}\"", "a delete character by number"),
    .take(#""\u00e9""#, as: "\"é\"", "two bytes by number"),
    .take(#""\u07FF\u0800""#, as: "\"\u{7FF}\u{800}\"", "the seam between two and three bytes"),
    .take(#""\u20AC\u20ac""#, as: "\"€€\"", "three bytes by number, in capitals and not"),
    .take(#""\u2028""#, as: "\"\u{2028}\"", "a line separator by number"),
    .take(#""\uFEFF""#, as: "\"\u{FEFF}\"", "a byte order mark by number"),
    .take(#""\ud7ff\ue000""#, as: "\"\u{D7FF}\u{E000}\"", "the scalars next to the surrogates by number"),
    .take(#""a\u00e9b\tc\u20ACd""#, as: "\"aéb\\tc€d\"", "letters between escapes"),
    .take(#""é\n€\t💬\\""#, "escapes between letters outside ASCII"),
    .take(#""\u00e91""#, as: "\"é1\"", "a digit behind four digits"),
    .take(#"["\n","b","\t"]"#, "escapes in several strings"),
    .refuse(#""\a""#, "the escape of a bell in C"),
    .refuse(#""\v""#, "the escape of a vertical tab in C"),
    .refuse(#""\e""#, "the escape of an escape"),
    .refuse(#""\0""#, "the escape of NUL in C"),
    .refuse(#""\'""#, "an escaped apostrophe"),
    .refuse(#""\x41""#, "an escape by two digits"),
    .refuse(#""\101""#, "an octal escape"),
    .refuse(#""\u{41}""#, "an escape in braces"),
    .refuse(#""\U0041""#, "an escape with a capital U"),
    .refuse(#""\N""#, "a capital short escape"),
    .refuse(#""\ ""#, "an escaped space"),
    .refuse("\"\\\n\"", "an escaped line end"),
    .refuse("\"\\\(tab)\"", "an escaped raw tab"),
    .refuse("\"\\é\"", "an escaped letter outside ASCII"),
    .refuse("\"\\💬\"", "an escaped character of four bytes"),
    .refuse(#""\u""#, "no digit behind the u"),
    .refuse(#""\u1""#, "one digit behind the u"),
    .refuse(#""\u12""#, "two digits behind the u"),
    .refuse(#""\u123""#, "three digits behind the u"),
    .refuse(#""\u 041""#, "a space among the digits"),
    .refuse(#""\u+041""#, "a plus among the digits"),
    .refuse(#""\u-041""#, "a minus among the digits"),
    .refuse(#""\u00G0""#, "a letter beyond F among the digits"),
    .refuse(#""\u004""#, "a quotation mark where the fourth digit should be"),
    .refuse("\"\\u００４１\"", "fullwidth digits behind the u"),
    .refuse(#""\u00\u0041""#, "an escape within an escape"),
    .refuse(#""\"#, "a string that ends in a backslash"),
    .refuse(#""\u"#, "a text that ends behind the u"),
    .refuse(#""\u00"#, "a text that ends among the digits"),
    .refuse(#""\u0041"#, "a text that ends behind the digits"),
    .refuse(#""\""#, "an escaped quotation mark and no other"),
    .refuse(#""\u0000""#, .encoding, "NUL by number"),
    .refuse(#""abc\u0000def""#, .encoding, "NUL by number between letters"),
    .refuse(bytes: [0x22, 0x5C, 0x00, 0x22], "NUL behind a backslash"),
    .refuse(bytes: [0x22, 0x5C, 0xE5, 0x22], "a cut-off sequence behind a backslash"),
    .refuse(bytes: [0x22, 0x5C, 0x75, 0xFF, 0x22], "an impossible byte behind the u"),
  ]

  static let badStrings: [JSONVector] = [
    .refuse("\"a", "a string that is not closed"),
    .refuse("a\"", "a string that is not opened"),
    .refuse("\"abcdefghijklmnop", "a long string that is not closed"),
    .refuse("\"a\nb\"", "a raw newline"),
    .refuse("\"a\rb\"", "a raw carriage return"),
    .refuse("\"a\r\nb\"", "a raw CR LF"),
    .refuse("\"a\(tab)b\"", "a raw tab"),
    .refuse("\"\u{1}\"", "a raw first control character"),
    .refuse("\"\u{1F}\"", "a raw last control character"),
    .refuse("\"\u{1B}[31m\"", "a raw escape sequence for a terminal"),
    .refuse("\"abcdefgh\n\"", "a raw newline after eight letters"),
    .refuse("\"\\n\n\"", "an escaped newline and a raw one"),
    .refuse("\"a\"b\"", "a quotation mark within a string"),
    .refuse("\"a' ", "a string closed by an apostrophe"),
    .refuse("[\"a]", "a string that swallows the bracket"),
    .refuse("\"\"\"a\"\"\"", "three quotation marks on either side"),
    .refuse("\"a\" + \"b\"", "strings put together"),
    .refuse("r\"a\"", "a raw string of another language"),
    .refuse(inString: [0x00], "a raw NUL"),
    .refuse(inString: Array("abcdefgh".utf8) + [0x00], "a raw NUL after eight letters"),
    .refuse(bytes: [0x22, 0xC3, 0xA9], .syntax, "a string that is not closed behind two bytes"),
  ]

  static let surrogates: [JSONVector] = [
    .take(#""\uD83D\uDCAC""#, as: "\"💬\"", "a pair"),
    .take(#""\ud83d\udcac""#, as: "\"💬\"", "a pair in lower case"),
    .take(#""\uD800\uDC00""#, as: "\"\u{10000}\"", "the first pair"),
    .take(#""\uDBFF\uDFFF""#, as: "\"\u{10FFFF}\"", "the last pair"),
    .take(#""\uD83D\uDCAC\uD83D\uDCAC""#, as: "\"💬💬\"", "two pairs"),
    .take(#""a\uD834\uDD1Eb""#, as: "\"a𝄞b\"", "a pair between letters"),
    .take(#""\uDBFF\uDFFE""#, as: "\"\u{10FFFE}\"", "a pair for a noncharacter"),
    .take(#""\\uD800""#, "an escaped backslash before what would be a surrogate"),
    .refuse(#""\uD800""#, .encoding, "the first high half alone"),
    .refuse(#""\uDBFF""#, .encoding, "the last high half alone"),
    .refuse(#""\uDC00""#, .encoding, "the first low half alone"),
    .refuse(#""\uDFFF""#, .encoding, "the last low half alone"),
    .refuse(#""\uD800a""#, .encoding, "a high half and a letter"),
    .refuse(#""a\uDC00b""#, .encoding, "a low half between letters"),
    .refuse(#""\uD800\n""#, .encoding, "a high half and another escape"),
    .refuse(#""\uD800\u0041""#, .encoding, "a high half and a letter by number"),
    .refuse(#""\uD800\u0000""#, .encoding, "a high half and NUL"),
    .refuse(#""\uD800\uD800""#, .encoding, "two high halves"),
    .refuse(#""\uD800\uD800\uDC00""#, .encoding, "a high half before a pair"),
    .refuse(#""\uDC00\uD800""#, .encoding, "a pair the wrong way round"),
    .refuse(#""\uDC00\uDC00""#, .encoding, "two low halves"),
    .refuse(#""\uD83D\uDCAC\uDCAC""#, .encoding, "a low half behind a pair"),
    .refuse(#""\uD800\\uDC00""#, .encoding, "a high half and an escaped backslash"),
    .refuse(#""\uD800uDC00""#, .encoding, "a high half and a low one without its backslash"),
    .refuse(#""\uD800 \uDC00""#, .encoding, "a space between the halves"),
    .refuse(#""\uD800\uE000""#, .encoding, "a high half and the scalar behind the surrogates"),
    .refuse(#""\uD800\"#, .encoding, "a high half and a backslash at the end"),
    .refuse(#""\uD800\u"#, "a high half and a text that ends behind the u"),
    .refuse(#""\uD800\u""#, "a high half and an escape without digits"),
    .refuse(#""\uD800\uD""#, "a high half and one digit"),
    .refuse(#""\uD800\uDC0""#, "a low half of three digits"),
    .refuse(#""\uD800\uDCXX""#, "a low half with letters beyond F"),
    .refuse(#""\uD800"#, .encoding, "a text that ends behind a high half"),
  ]

  static let encodings: [JSONVector] = [
    .take(bytes: [0x22, 0xC2, 0x80, 0x22], as: "\"\u{80}\"", "the first sequence of two bytes"),
    .take(bytes: [0x22, 0xDF, 0xBF, 0x22], as: "\"\u{7FF}\"", "the last sequence of two bytes"),
    .take(bytes: [0x22, 0xE0, 0xA0, 0x80, 0x22], as: "\"\u{800}\"", "the first sequence of three bytes"),
    .take(bytes: [0x22, 0xEF, 0xBF, 0xBF, 0x22], as: "\"\u{FFFF}\"", "the last sequence of three bytes"),
    .take(
      bytes: [0x22, 0xF0, 0x90, 0x80, 0x80, 0x22], as: "\"\u{10000}\"", "the first sequence of four bytes"),
    .take(
      bytes: [0x22, 0xF4, 0x8F, 0xBF, 0xBF, 0x22], as: "\"\u{10FFFF}\"", "the last sequence of four bytes"),
    .refuse(inString: [0x80], "a continuation byte alone"),
    .refuse(inString: [0xBF], "the last continuation byte alone"),
    .refuse(inString: [0xC3], "the first of two bytes alone"),
    .refuse(inString: [0xC3, 0x61], "the first of two bytes and a letter"),
    .refuse(inString: [0xC3, 0xC3, 0xA9], "the first of two bytes twice"),
    .refuse(inString: [0xC3, 0xA9, 0xA9], "a continuation byte too many"),
    .refuse(inString: [0xE2, 0x82], "two of three bytes"),
    .refuse(inString: [0xE2, 0x61, 0xAC], "a letter within three bytes"),
    .refuse(inString: [0xF0, 0x9F, 0x92], "three of four bytes"),
    .refuse(inString: [0xF0, 0x9F], "two of four bytes"),
    .refuse(inString: [0xF0], "one of four bytes"),
    .refuse(inString: [0xE9], "a letter of Latin-1"),
    .refuse(inString: Array("caf".utf8) + [0xE9, 0x20, 0x61], "a letter of Latin-1 within a word"),
    .refuse(inString: [0x93, 0x61, 0x94], "quotation marks of Windows-1252"),
    .refuse(inString: [0x82, 0xA0], "a letter of Shift JIS"),
    .refuse(inString: [0xC0, 0x80], "NUL in two bytes"),
    .refuse(inString: [0xC0, 0xAF], "a slash in two bytes"),
    .refuse(inString: [0xC1, 0xBF], "a delete character in two bytes"),
    .refuse(inString: [0xC0, 0xA2], "a quotation mark in two bytes"),
    .refuse(inString: [0xE0, 0x80, 0xAF], "a slash in three bytes"),
    .refuse(inString: [0xE0, 0x9F, 0xBF], "the longest of two bytes in three"),
    .refuse(inString: [0xF0, 0x80, 0x80, 0xAF], "a slash in four bytes"),
    .refuse(inString: [0xF0, 0x8F, 0xBF, 0xBF], "the longest of three bytes in four"),
    .refuse(inString: [0xED, 0xA0, 0x80], "the first high surrogate in UTF-8"),
    .refuse(inString: [0xED, 0xAF, 0xBF], "the last high surrogate in UTF-8"),
    .refuse(inString: [0xED, 0xB0, 0x80], "the first low surrogate in UTF-8"),
    .refuse(inString: [0xED, 0xBF, 0xBF], "the last low surrogate in UTF-8"),
    .refuse(inString: [0xED, 0xA0, 0xBD, 0xED, 0xB2, 0xAC], "a surrogate pair in UTF-8"),
    .refuse(inString: [0xF4, 0x90, 0x80, 0x80], "one above the last scalar"),
    .refuse(inString: [0xF5, 0x80, 0x80, 0x80], "far above the last scalar"),
    .refuse(inString: [0xF7, 0xBF, 0xBF, 0xBF], "all that four bytes could say"),
    .refuse(inString: [0xF8, 0x88, 0x80, 0x80, 0x80], "five bytes"),
    .refuse(inString: [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80], "six bytes"),
    .refuse(inString: [0xFE], "a byte that never occurs"),
    .refuse(inString: [0xFF], "another byte that never occurs"),
    .refuse(inString: Array("abcdefghijklmno".utf8) + [0xFF], "an impossible byte after fifteen letters"),
    .refuse(inString: Array("\\n".utf8) + [0xFF], "an impossible byte behind an escape"),
    .refuse(inString: [0xC3] + Array("\\u00a9".utf8), "half a sequence before an escape"),
    .refuse(inString: [0xE2, 0x82] + Array("\\u00ac".utf8), "two of three bytes before an escape"),
    .refuse(inString: Array("\\u00e9".utf8) + [0xA9], "a continuation byte behind an escape"),
    .refuse(bytes: Array("{\"".utf8) + [0xFF] + Array("\":1}".utf8), "an impossible byte in a key"),
    .refuse(bytes: Array("[1,".utf8) + [0xFF] + Array("]".utf8), "an impossible byte as element"),
    .refuse(bytes: [0xFF], "an impossible byte by itself"),
    .refuse(bytes: [0xE9], "a letter of Latin-1 by itself"),
    .refuse(bytes: [0x5B, 0x5D, 0xC3], "a cut-off sequence behind an array"),
  ]

  static let decidedEncodings: [JSONVector] = [
    .refuse("\u{FEFF}{}", .encoding, "a byte order mark in front: refused"),
    .refuse("\u{FEFF}", .encoding, "a byte order mark by itself: refused"),
    .refuse(" \u{FEFF}1", .encoding, "a byte order mark behind a space: refused"),
    .refuse("{}\u{FEFF}", .encoding, "a byte order mark behind an object: refused"),
    .refuse(bytes: [0xEF, 0xBB], "two of three bytes of a byte order mark: refused"),
    .refuse(bytes: [0xEF, 0xBB, 0x7B, 0x7D], "a damaged byte order mark before an object: refused"),
    .take("\"\u{FEFF}\"", "a byte order mark in a string: read, as a zero-width space"),
    .refuse(bytes: [0xFF, 0xFE, 0x5B, 0x00, 0x5D, 0x00], "UTF-16, little end first, marked: refused"),
    .refuse(bytes: [0xFE, 0xFF, 0x00, 0x5B, 0x00, 0x5D], "UTF-16, big end first, marked: refused"),
    .refuse(bytes: [0x5B, 0x00, 0x5D, 0x00], "UTF-16, little end first: refused"),
    .refuse(bytes: [0x00, 0x5B, 0x00, 0x5D], "UTF-16, big end first: refused"),
    .refuse(bytes: [0x22, 0x00, 0xE9, 0x00, 0x22, 0x00], "a string in UTF-16, little end first: refused"),
    .refuse(bytes: [0x00, 0x22, 0x00, 0xE9, 0x00, 0x22], "a string in UTF-16, big end first: refused"),
    .refuse(bytes: [0x31, 0x00], "a digit in UTF-16: refused"),
    .refuse(bytes: [0x5B, 0, 0, 0, 0x5D, 0, 0, 0], "UTF-32, little end first: refused"),
    .refuse(bytes: [0, 0, 0, 0x5B, 0, 0, 0, 0x5D], "UTF-32, big end first: refused"),
    .refuse(bytes: [0xFF, 0xFE, 0, 0, 0x31, 0, 0, 0], "UTF-32, little end first, marked: refused"),
    .refuse(bytes: [0x2B, 0x41, 0x46, 0x73, 0x2D], .syntax, "UTF-7: refused"),
    .take("\"\u{FFFE}\u{FFFF}\"", "noncharacters of the first plane in a string: read"),
    .take("\"\(arabicNoncharacter)\u{1FFFE}\u{10FFFE}\"", "other noncharacters in a string: read"),
    .take(
      #""\uFFFE\uFFFF\uFDD0""#, as: "\"\u{FFFE}\u{FFFF}\(arabicNoncharacter)\"",
      "noncharacters by number: read"),
    .take("\"\u{E000}\u{F8FF}\"", "characters of private use: read"),
    .take("\"\u{378}\"", "a scalar without a character: read"),
  ]

  static let nesting: [JSONVector] = [
    .take(nested("[", 32, "", "]"), "32 arrays"),
    .refuse(nested("[", 33, "", "]"), .tooDeep, "33 arrays"),
    .take(nested(#"{"a":"#, 32, "1", "}"), "32 objects"),
    .refuse(nested(#"{"a":"#, 33, "1", "}"), .tooDeep, "33 objects"),
    .take(nested(#"[{"a":"#, 16, "1", "}]"), "16 arrays and 16 objects by turns"),
    .refuse(nested(#"[{"a":"#, 17, "1", "}]"), .tooDeep, "17 arrays and 17 objects by turns"),
    .take(
      "[" + nested("[", 31, "", "]") + "," + nested("[", 31, "", "]") + "]", "two towers of 31 side by side"),
    .refuse(nested("[", 32, "", ""), "32 arrays that are not closed"),
    .refuse(nested("[", 33, "", ""), .tooDeep, "33 arrays that are not closed"),
    .refuse(nested("[", 500, "", "]"), .tooDeep, "500 arrays"),
    .refuse(nested("[", 100_000, "", ""), .tooDeep, "100,000 arrays that are not closed"),
    .refuse(nested(#"[{"":"#, 50_000, "", ""), .tooDeep, "50,000 arrays and objects that are not closed"),
    .refuse(nested("[ \n", 40, "", ""), .tooDeep, "40 arrays on a line each"),
    .refuse("[]" + nested("]", 100, "", ""), "100 closing brackets"),
  ]

  /// Families too long to be written out.
  static let generated: [JSONVector] = rawControls + strayBytes + escapedControls

  private static let rawControls: [JSONVector] = (1..<0x20).map { byte in
    .refuse(bytes: [0x22, 0x78, byte, 0x22], .syntax, "the raw control character \(byte) in a string")
  }

  private static let escapedControls: [JSONVector] = (0x10..<0x20).map { byte in
    let digits = String(byte, radix: 16)
    return .take("\"x\\u00\(digits)y\"", "the control character \(byte) by number")
  }

  /// Every single byte but the ten digits is no text, and those of ASCII fail by grammar.
  private static let strayBytes: [JSONVector] = (0...0xFF).filter { !(0x30...0x39 ~= $0) }.map {
    (byte: UInt8) in
    .refuse(bytes: [byte], 0x01..<0x80 ~= byte ? .syntax : .encoding, "the byte \(byte) by itself")
  }

  static func nested(_ opening: String, _ count: Int, _ middle: String, _ closing: String) -> String {
    String(repeating: opening, count: count) + middle + String(repeating: closing, count: count)
  }
}
