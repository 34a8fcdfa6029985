/// What one character becomes in the search index: letters in lower case and without accents, so that `Ångström`
/// is found by `angstrom`, and `STRASSE` by `Straße`.
///
/// The tables are Parley's own and not the system's: an index that was written by one build is read by the next. Canonical
/// decompositions never change in Unicode, so what is here is right for good; a script that gets upper case later folds
/// differently only from then on.
enum SearchFolding {
  /// What a character is to the index.
  enum Kind: UInt8 {
    /// Ends a word.
    case separator
    /// Is not there: accents, joiners, soft hyphens.
    case ignored
    /// Belongs to a word.
    case word
    /// Is written without spaces between words: Chinese, Japanese, Korean, Thai, and the halves of a flag.
    case run
    /// Is a word by itself: an emoji.
    case symbol
  }

  /// A character of the index: its kind, and one to three scalars.
  struct Folded {
    private let packed: UInt64

    init(_ kind: Kind, _ scalars: [UInt32]) {
      var packed = UInt64(kind.rawValue)
      for (index, scalar) in scalars.prefix(3).enumerated() { packed |= UInt64(scalar) << (UInt64(index) * 20 + 4) }
      self.packed = packed
    }

    var kind: Kind { Kind(rawValue: UInt8(packed & 15))! }
    var first: UInt32 { UInt32(packed >> 4 & 0xFFFFF) }
    /// 0 if there is none.
    var second: UInt32 { UInt32(packed >> 24 & 0xFFFFF) }
    /// 0 if there is none.
    var third: UInt32 { UInt32(packed >> 44 & 0xFFFFF) }
  }

  /// Scalars below this are looked up, those from here on are worked out.
  private static let tableEnd: UInt32 = 0x2000
  private static let table: [Folded] = (0..<tableEnd).map(work)

  static func folded(_ scalar: Unicode.Scalar) -> Folded {
    scalar.value < tableEnd ? table[Int(scalar.value)] : work(scalar.value)
  }

  private static func work(_ value: UInt32) -> Folded {
    if isRun(value) { return Folded(.run, [value]) }
    if isIgnored(value) { return Folded(.ignored, []) }
    // Full-width forms of ASCII.
    if (0xFF01...0xFF5E).contains(value) { return work(value - 0xFEE0) }
    guard let scalar = Unicode.Scalar(value) else { return Folded(.separator, []) }
    let properties = scalar.properties
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber, .otherNumber, .nonspacingMark, .spacingMark, .enclosingMark:
      var scalars: [UInt32] = []
      // What lower case adds is a mark: the point of a Turkish I.
      for lower in properties.lowercaseMapping.unicodeScalars where !isIgnored(lower.value) {
        scalars += several[lower.value] ?? [single[lower.value] ?? lower.value]
      }
      return Folded(.word, scalars)
    case .otherSymbol where properties.isEmoji:
      return Folded(.symbol, [value])
    default:
      return Folded(.separator, [])
    }
  }

  // MARK: Which characters

  /// Accents, vowel points of Hebrew and Arabic, joiners, variation selectors, skin tones.
  private static func isIgnored(_ value: UInt32) -> Bool {
    switch value {
    case ..<0xAD: false
    case 0xAD, 0x0300...0x036F, 0x0591...0x05BD, 0x05BF, 0x05C1...0x05C2, 0x05C4...0x05C5, 0x05C7, 0x0610...0x061A,
      0x0640, 0x064B...0x065F, 0x0670, 0x06D6...0x06DC, 0x06DF...0x06E4, 0x06E7...0x06E8, 0x06EA...0x06ED,
      0x1AB0...0x1AFF, 0x1DC0...0x1DFF, 0x200B...0x200F, 0x202A...0x202E, 0x2060...0x2064, 0x20D0...0x20FF,
      0xFE00...0xFE0F, 0xFE20...0xFE2F, 0xFEFF, 0x1F3FB...0x1F3FF, 0xE0000...0xE01EF:
      true
    default: false
    }
  }

  /// Han, kana, hangul, bopomofo; Thai, Lao, Burmese, Khmer; regional indicators.
  private static func isRun(_ value: UInt32) -> Bool {
    switch value {
    case ..<0x0E00: false
    case 0x0E00...0x0EFF, 0x1000...0x109F, 0x1100...0x11FF, 0x1780...0x17FF, 0x3005...0x3007, 0x3021...0x3029,
      0x3031...0x3035, 0x3041...0x309F, 0x30A1...0x30FA, 0x30FC...0x30FF, 0x3105...0x312F, 0x3131...0x318E,
      0x31A0...0x31BF, 0x31F0...0x31FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA960...0xA97F, 0xAC00...0xD7FF,
      0xF900...0xFAFF, 0xFF66...0xFF9F, 0x1B000...0x1B16F, 0x1F1E6...0x1F1FF, 0x20000...0x3FFFD:
      true
    default: false
    }
  }

  /// The scalar that two of a run make together: what another system writes as letter and voicing mark, or as the parts of
  /// a hangul syllable. Nil for two that stay apart.
  static func composed(_ first: UInt32, _ second: UInt32) -> UInt32? {
    switch (first, second) {
    case (0x304B...0x308F, 0x3099), (0x30AB...0x30EF, 0x3099):
      first == 0x308F || first == 0x30EF ? nil : first + 1
    case (0x3046, 0x3099): 0x3094
    case (0x30A6, 0x3099): 0x30F4
    case (0x306F...0x307B, 0x309A), (0x30CF...0x30DB, 0x309A): first + 2
    case (0x1100...0x1112, 0x1161...0x1175): 0xAC00 + ((first - 0x1100) * 21 + second - 0x1161) * 28
    case (0xAC00...0xD7A3, 0x11A8...0x11C2) where (first - 0xAC00).isMultiple(of: 28): first + second - 0x11A7
    default: nil
    }
  }

  /// Letters that become several.
  private static let several: [UInt32: [UInt32]] = {
    let letters: KeyValuePairs<Unicode.Scalar, String> = [
      "ß": "ss", "æ": "ae", "ǣ": "ae", "ǽ": "ae", "œ": "oe", "þ": "th", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi",
      "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st",
    ]
    return Dictionary(uniqueKeysWithValues: letters.map { ($0.value, $1.unicodeScalars.map(\.value)) })
  }()

  /// Letters with accents, by the letter without: the canonical decompositions below U+2000, and a few letters that
  /// nobody finds on a foreign keyboard.
  private static let single: [UInt32: UInt32] = {
    let groups = """
      aàáâãäåāăąǎǟǡǻȁȃȧḁạảấầẩẫậắằẳẵặ bḃḅḇ cçćĉċčḉ dðďđḋḍḏḑḓ eèéêëēĕėęěȅȇȩḕḗḙḛḝẹẻẽếềểễệ fḟ gĝğġģǧǵḡ hĥħȟḣḥḧḩḫẖ \
      iìíîïĩīĭįıǐȉȋḭḯỉị jĵǰ kķǩḱḳḵ lĺļľłḷḹḻḽ mḿṁṃ nñńņňǹṅṇṉṋ oòóôõöøōŏőơǒǫǭǿȍȏȫȭȯȱṍṏṑṓọỏốồổỗộớờởỡợ pṕṗ \
      rŕŗřȑȓṙṛṝṟ sśŝşšſșṡṣṥṧṩẛ tţťŧțṫṭṯṱẗ uùúûüũūŭůűųưǔǖǘǚǜȕȗṳṵṷṹṻụủứừửữự vṽṿ wŵẁẃẅẇẉẘ xẋẍ yýÿŷȳẏẙỳỵỷỹ zźżžẑẓẕ \
       ʒǯ ʹʹ αάἀἁἂἃἄἅἆἇὰάᾀᾁᾂᾃᾄᾅᾆᾇᾰᾱᾲᾳᾴᾶᾷ εέἐἑἒἓἔἕὲέ ηήἠἡἢἣἤἥἦἧὴήᾐᾑᾒᾓᾔᾕᾖᾗῂῃῄῆῇ ιΐίϊἰἱἲἳἴἵἶἷὶίιῐῑῒΐῖῗ \
      οόὀὁὂὃὄὅὸό ρῤῥ σς υΰϋύὐὑὒὓὔὕὖὗὺύῠῡῢΰῦῧ ωώὠὡὢὣὤὥὦὧὼώᾠᾡᾢᾣᾤᾥᾦᾧῲῳῴῶῷ ϒϓϔ аӑӓ гѓ еѐёӗ жӂӝ зӟ ийѝӣӥ кќ оӧ \
      уўӯӱӳ чӵ ыӹ эӭ ії ѵѷ әӛ өӫ اآأإ وؤ يئ ہۂ ےۓ ەۀ
      """
    var letters: [UInt32: UInt32] = [:]
    for group in groups.unicodeScalars.split(separator: " ") {
      guard let plain = group.first else { continue }
      for letter in group.dropFirst() { letters[letter.value] = plain.value }
    }
    return letters
  }()
}
