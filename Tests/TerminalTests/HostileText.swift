/// Texts that try to leave their place, hide something or cost time.
let hostileTexts: [String] = [
  // Control characters and sequences.
  "\u{0}nul", "a\rb", "over\u{8}\u{8}\u{8}\u{8}write", "bell\u{7}", "a\nb", "a\r\nb", "a\u{B}b", "a\u{C}b", "a\tb",
  "\u{1B}[2J",
  "\u{1B}[31mred", "\u{1B}]0;title\u{7}", "\u{1B}]52;c;ZXZpbA==\u{7}", "\u{1B}P1;2q\u{1B}\\", "\u{1B}c",
  "\u{1B}[1;1Hhome",
  "\u{1B}(0lqk", "\u{9B}2J", "\u{9D}0;t\u{9C}", "\u{90}q\u{9C}", "\u{85}next", "\u{7F}\u{7F}del", "\u{E}shift\u{F}",
  "\u{1A}sub",
  "\u{1B}[?1049l", "\u{1B}[6n", "\u{1B}#8", "\u{5}enq",
  // Lines and blanks.
  "line\u{2028}separator", "paragraph\u{2029}separator", "\u{A0}\u{2003}\u{2009}\u{200A}", "\u{3000}wide blank",
  "\u{1680}ogham",
  // Direction.
  "\u{202E}txt.exe", "\u{202D}ab\u{202C}", "\u{2066}a\u{2069}", "\u{2067}a\u{2068}", "\u{200E}\u{200F}", "\u{61C}a",
  "שלום", "مرحبا بالعالم", "a\u{202E}b\u{202E}c\u{202E}",
  // Nothing to be seen.
  "zero\u{200B}width", "a\u{200C}b", "a\u{200D}b", "\u{200D}\u{200D}", "\u{FEFF}bom", "soft\u{AD}hyphen", "a\u{2060}b",
  "\u{2062}\u{2063}",
  "\u{3164}filler", "\u{115F}\u{1160}", "\u{FFA0}", "\u{34F}joiner", "\u{17B4}\u{17B5}", "\u{180E}a",
  "a\u{FE00}\u{FE01}",
  "\u{E0001}\u{E0041}\u{E0042}tags", "\u{E0100}selector", "\u{FFF9}a\u{FFFA}b\u{FFFB}", "\u{1D173}music",
  // Not characters, not ours, not yet.
  "\u{E000}\u{F8FF}", "\u{F0000}\u{10FFFD}", "\u{FFFE}\u{FFFF}", "\u{378}\u{379}", "\u{1FFFE}", "\u{10FFFF}",
  // Marks.
  "\u{301}lone", "\u{20DD}", "Z" + String(repeating: "\u{334}\u{301}\u{316}", count: 200), "\u{FE0F}\u{FE0F}",
  "a\u{488}b\u{489}",
  String(repeating: "\u{300}", count: 4000), "\n\u{301}", "a\u{FE0F}\u{FE0F}\u{FE0F}", "\u{1F3FB}\u{1F3FF}",
  "\u{E31}\u{E34}", "1\u{20E3}",
  // Emoji, whole, cut and endless.
  "👩‍👩‍👧‍👦", "🏳️‍🌈", "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}", "🇳🇴", "🇳", "🇳🇴🇳", "👍🏽", "❤️", "❤", "1️⃣", "#\u{FE0F}",
  "☎︎",
  "👩\u{200D}", "\u{200D}👩", "👩\u{200D}\u{200D}👩", "a\u{200D}👩", "👩\u{200D}a", "🇳\u{200D}🇴", "⌚\u{FE0E}",
  String(repeating: "👩\u{200D}", count: 500), "🏴" + String(repeating: "\u{E0067}", count: 300), "👩🏽🏽🏽", "⚡⚡⚡⚡⚡⚡⚡⚡⚡⚡⚡⚡⚡⚡⚡⚡",
  // Writing.
  "漢字漢字漢字漢字漢字漢字漢字漢字", "한국어", "\u{1112}\u{1161}\u{11AB}", String(repeating: "\u{1100}", count: 50), "\u{1161}\u{11AB}",
  "\u{AC00}\u{11A8}\u{11A8}", "\u{1100}\u{1161}\u{1161}\u{11A8}", "ｆｕｌｌ", "ﾊﾟﾋﾟ", "हिन्दी क्षत्रिय",
  String(repeating: "क्", count: 100),
  "ကြောင့်", "ไทยที่นี่", "e\u{301}", "Å", "ﷺ", "𒐫𒈙", "꧅", "⸻⸻", "𓀀", "\u{1F468}\u{FE0F}\u{FE0F}", "\u{102C}\u{102C}",
  String(repeating: "\u{1F1E6}", count: 99), "\u{600}1", "\u{110BD}a", "\u{0D4E}ക",
]
