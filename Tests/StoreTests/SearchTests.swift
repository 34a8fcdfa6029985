import ConversationModel
import Testing

/// What is found, on every store.
@Suite struct SearchTests {
  private struct Archive {
    let store: any Store
    let user: UserID
    let conversation: Conversation

    init(_ store: any Store, _ texts: [String] = []) async throws {
      self.store = store
      user = newUser()
      conversation = try await store.opened(user)
      if !texts.isEmpty { try await store.appended(texts, to: conversation) }
    }

    /// The texts that a search finds, in its order.
    func found(
      _ text: String, in conversation: ConversationID? = nil, scope: SearchQuery.Scope = .active, limit: Int = 200
    ) async throws -> [String] {
      let page = try await store.search(
        SearchQuery(text, conversation: conversation, scope: scope), PageRequest(limit: limit), as: .user(user))
      #expect(page.next == nil)
      return page.items.map(\.message.content)
    }

    func refusal(_ query: SearchQuery, _ page: PageRequest = PageRequest()) async -> ConversationError.Code? {
      await code { _ = try await store.search(query, page, as: .user(user)) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `all words must match, whole, in either case, with or without accents`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let texts = [
        "A weekend in Oslo", "The Ångström unit", "straße nach Görlitz", "ΌΔΥΣΣΕΎΣ", "Ёлка и ёж", "cafe\u{301} creme",
        "Oslo, again: the weekend is over",
      ]
      let archive = try await Archive(store, texts)
      #expect(try await archive.found("oslo") == [texts[6], texts[0]])
      #expect(try await archive.found("WEEKEND oslo") == [texts[6], texts[0]])
      #expect(try await archive.found("weekend in oslo") == [texts[0]])
      #expect(try await archive.found("week") == [])
      #expect(try await archive.found("week*") == [texts[6], texts[0]])
      #expect(try await archive.found("o* w*") == [texts[6], texts[0]])
      #expect(try await archive.found("angstrom") == [texts[1]])
      #expect(try await archive.found("STRASSE gorlitz") == [texts[2]])
      #expect(try await archive.found("οδυσσευσ") == [texts[3]])
      #expect(try await archive.found("елка") == [texts[4]])
      #expect(try await archive.found("café crème") == [texts[5]])
      #expect(try await archive.found("oslo nowhere") == [])
    }
  }

  @Test(arguments: Backend.allCases)
  func `what is written without spaces is found anywhere`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let texts = ["東京都に住んでいます", "京都と東京は遠い", "黒猫", "猫が好き", "서울에서 만나요", "สวัสดีครับ", "🇳🇴🎉 party", "🇴🇳"]
      let archive = try await Archive(store, texts)
      #expect(try await archive.found("東京") == [texts[1], texts[0]])
      // The pairs 東京 and 京都 are in both, but only one holds the three.
      #expect(try await archive.found("東京都") == [texts[0]])
      #expect(try await archive.found("猫") == [texts[3], texts[2]])
      #expect(try await archive.found("住んで 東") == [texts[0]])
      #expect(try await archive.found("서울") == [texts[4]])
      #expect(try await archive.found("สวัส") == [texts[5]])
      #expect(try await archive.found("🎉") == [texts[6]])
      #expect(try await archive.found("🇳🇴") == [texts[6]])
    }
  }

  @Test(
    arguments: Backend.allCases,
    [
      "\"oslo", "oslo\"", "NEAR(oslo weekend)", "oslo OR paris", "oslo AND weekend", "oslo NOT weekend", "-oslo",
      "words:oslo", "{words}:oslo", "^oslo", "oslo + weekend", "*", "oslo* *", "'; DROP TABLE pam_messages; --",
      "\\", "$1", "oslo\u{1}weekend", "(((((", "a:b:c",
    ])
  func `nothing in a search is syntax`(_ backend: Backend, text: String) async throws {
    try await backend.withStore { store in
      let archive = try await Archive(store, ["A weekend in Oslo", "near oslo or paris and not drop table 1 weekend"])
      let other = try await Archive(store, ["oslo weekend near or and not words drop table pam messages a b c 1"])
      let found: Set<String>
      switch text {
      case "*", "\\", "(((((":
        // There is no word in it.
        found = []
        #expect(try await archive.found(text) == [])
        return
      default: found = Set(try await archive.found(text))
      }
      let words = text.lowercased().split { !$0.isLetter && !$0.isNumber }
      let expected = ["A weekend in Oslo", "near oslo or paris and not drop table 1 weekend"].filter { message in
        let own = Set(message.lowercased().split(separator: " "))
        return words.allSatisfy { own.contains($0) }
      }
      #expect(found == Set(expected))
      #expect(try await other.found("oslo").count == 1)
    }
  }

  @Test(arguments: Backend.allCases)
  func `hits come newest first, page by page, and a cursor belongs to its search`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let archive = try await Archive(store)
      let other = try await store.opened(archive.user)
      var expected: [String] = []
      for number in 1...25 {
        let text = "word \(number)"
        try await store.appended(
          [text, "noise \(number)"], to: number.isMultiple(of: 2) ? archive.conversation : other)
        expected.insert(text, at: 0)
      }
      let query = SearchQuery("word")
      var (request, found): (PageRequest, [String]) = (PageRequest(limit: 10), [])
      var sizes: [Int] = []
      repeat {
        let page = try await store.search(query, request, as: .user(archive.user))
        found += page.items.map(\.message.content)
        sizes.append(page.items.count)
        request.cursor = page.next
      } while request.cursor != nil
      #expect(found == expected && sizes == [10, 10, 5])
      #expect(try await archive.found("word", in: other.id).count == 13)
      #expect(try await archive.found("word 24", in: other.id) == [])

      let first = try await store.search(query, PageRequest(limit: 10), as: .user(archive.user))
      let cursor = try #require(first.next)
      #expect(first.items.allSatisfy { $0.title == ($0.message.conversationID == other.id ? "word 1" : "word 2") })
      // A message that comes meanwhile is in front of it, one that goes is not missed.
      try await store.appended(["word 26"], to: other)
      _ = try await store.apply(.deleteMessage(DeleteMessage(first.items[9].message.id)), as: .user(archive.user))
      let second = try await store.search(query, PageRequest(limit: 10, cursor: cursor), as: .user(archive.user))
      #expect(second.items.map(\.message.content) == Array(expected[10..<20]))
      for query in [
        SearchQuery("words"), SearchQuery("word", scope: .all), SearchQuery("word", conversation: other.id),
      ] {
        #expect(await archive.refusal(query, PageRequest(cursor: cursor)) == .invalid)
      }
      #expect(await archive.refusal(query, PageRequest(cursor: cursor + "0")) == .invalid)
      #expect(await archive.refusal(query, PageRequest(cursor: "c" + cursor.dropFirst())) == .invalid)
      let stranger = newUser()
      #expect(
        await code {
          _ = try await store.search(query, PageRequest(cursor: cursor), as: .user(stranger))
        } == .invalid)
    }
  }

  @Test(arguments: Backend.allCases)
  func `the active path alone is searched unless all branches are asked for`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let tree = try await OwnedTree(store, ["root word", "second word", "third word"])
      let trunk = try await tree.messages()
      try await tree.fork(after: trunk[0].id, activate: true)
      try await tree.append(["fork word"], on: 1)
      func found(_ scope: SearchQuery.Scope) async throws -> [String] {
        try await store.search(SearchQuery("word", scope: scope), PageRequest(), as: tree.owner).items
          .map(\.message.content)
      }
      #expect(try await found(.active) == ["fork word", "root word"])
      #expect(try await found(.all) == ["fork word", "third word", "second word", "root word"])
      try await tree.activate(0)
      #expect(try await found(.active) == ["third word", "second word", "root word"])
      // A branch of a branch: what its parent goes on with is not on its path.
      try await tree.append(["fork word 2"], on: 1)
      let fork = try await tree.messages(1)
      try await tree.fork(after: fork[1].id, activate: true)
      try await tree.append(["deep word"], on: 2)
      #expect(try await found(.active) == ["deep word", "fork word", "root word"])
      try await tree.deleteBranch(2)
      #expect(try await found(.active) == ["fork word 2", "fork word", "root word"])
      #expect(try await found(.all) == ["fork word 2", "fork word", "third word", "second word", "root word"])
    }
  }

  @Test(arguments: Backend.allCases)
  func `edits and deletions are followed, and what is hidden is not found`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let archive = try await Archive(store)
      let messages = try await store.appended(
        ["alpha common", "beta common", "gamma common"], to: archive.conversation)
      let revised = try await store.apply(
        .revise(Revise(messages[0].id, content: "delta common")), as: .user(archive.user))
      #expect(revised.messages.first?.revision == 2)
      _ = try await store.apply(
        .revise(Revise(messages[1].id, metadata: JSONText(canonical: #"{"a":1}"#))), as: .user(archive.user))
      _ = try await store.apply(.deleteMessage(DeleteMessage(messages[2].id)), as: .user(archive.user))
      #expect(try await archive.found("alpha") == [])
      #expect(try await archive.found("gamma") == [])
      #expect(try await archive.found("delta") == ["delta common"])
      #expect(try await archive.found("common") == ["beta common", "delta common"])
      // Metadata, intents and titles are no texts.
      #expect(try await archive.found("a") == [])
      let other = try await store.opened(archive.user)
      try await store.appended(["epsilon common"], to: other)
      _ = try await store.apply(.erase(archive.conversation.id), as: .user(archive.user))
      #expect(try await archive.found("common") == ["epsilon common"])
    }
  }

  @Test(arguments: Backend.allCases)
  func `nobody finds another's messages, and the service role finds all`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let (one, two) = (
        try await Archive(store, ["shared secret one"]), try await Archive(store, ["shared secret two"])
      )
      #expect(try await one.found("secret") == ["shared secret one"])
      #expect(try await two.found("secr*") == ["shared secret two"])
      #expect(await one.refusal(SearchQuery("secret", user: two.user)) == .forbidden)
      #expect(await one.refusal(SearchQuery("secret", conversation: two.conversation.id)) == .notFound)
      #expect(await one.refusal(SearchQuery("secret", conversation: ConversationID(high: 1, low: 2))) == .notFound)

      func service(_ query: SearchQuery, limit: Int = 20) async throws -> [String] {
        var (request, found): (PageRequest, [String]) = (PageRequest(limit: limit), [])
        repeat {
          let page = try await store.search(query, request, as: .service)
          found += page.items.map(\.message.content)
          request.cursor = page.next
        } while request.cursor != nil
        return found
      }
      #expect(try await service(SearchQuery("secret")) == ["shared secret two", "shared secret one"])
      #expect(try await service(SearchQuery("secr* two")) == ["shared secret two"])
      #expect(try await service(SearchQuery("secret"), limit: 1) == ["shared secret two", "shared secret one"])
      #expect(try await service(SearchQuery("secret", user: one.user)) == ["shared secret one"])
      #expect(try await service(SearchQuery("secret", conversation: one.conversation.id)) == ["shared secret one"])
      let mixed = SearchQuery("secret", user: two.user, conversation: one.conversation.id)
      #expect(await code { _ = try await store.search(mixed, PageRequest(), as: .service) } == .notFound)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a search has limits`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let archive = try await Archive(store, ["word"])
      let long = String(repeating: "é", count: Limits.searchScalars)
      for text in ["", long + "é", "a\u{0}b"] {
        #expect(await archive.refusal(SearchQuery(text)) == .invalid, "\(text.debugDescription)")
      }
      for text in [
        long, "!? …", (0..<100).map { _ in "w" }.joined(separator: " ") + "x", String(repeating: "東京", count: 100),
      ] {
        #expect(try await archive.found(text) == [])
      }
      for limit in [0, -1, 201] {
        #expect(await archive.refusal(SearchQuery("word"), PageRequest(limit: limit)) == .invalid)
      }
    }
  }

  @Test func `a snippet is one line around the word, and says where it was cut`() async throws {
    try await Backend.sqlite.withStore { store in
      let filler = Array(repeating: "filler", count: 60).joined(separator: " ")
      let archive = try await Archive(
        store, ["short\n\n\ttext with needle", "\(filler) needle \(filler)", "needle \(filler)", "\(filler) needle"])
      let hits = try await store.search(SearchQuery("needle"), PageRequest(), as: .user(archive.user)).items
      let snippets = Array(hits.map(\.snippet).reversed())
      #expect(snippets[0] == "short text with needle")
      #expect(snippets[1].hasPrefix("… filler") || snippets[1].hasPrefix("…filler"))
      #expect(snippets[1].hasSuffix("…") && snippets[1].contains(" needle "))
      #expect(snippets[2].hasPrefix("needle filler") && snippets[2].hasSuffix("…"))
      #expect(snippets[3].hasPrefix("…") && snippets[3].hasSuffix("filler needle"))
      for snippet in snippets { #expect(snippet.unicodeScalars.count <= Limits.snippetScalars + 2) }
    }
  }

  @Test(arguments: [Backend.sqlite, .spool])
  func `an answer is found when its text is there`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let archive = try await Archive(store)
      let asked = try await store.apply(
        .append(Append(to: archive.conversation.id, [NewMessage(role: .user, content: "Why zebras?"), .answer()])),
        as: .user(archive.user))
      try await store.keepDraft("Because zebras", of: asked.messages[1].id, as: .user(archive.user))
      #expect(try await archive.found("zebras") == ["Why zebras?"])
      _ = try await store.apply(
        .finish(FinishAnswer(asked.messages[1].id, content: "Because zebras can.", ending: .complete)),
        as: .user(archive.user))
      #expect(try await archive.found("zebras") == ["Because zebras can.", "Why zebras?"])
    }
  }

  /// Random texts, edits and deletions, and random searches held against reading everything.
  @Test(arguments: [Backend.sqlite, .remote], [1, 2, 3] as [UInt64])
  func `a search finds what reading everything finds`(_ backend: Backend, seed: UInt64) async throws {
    try await backend.withStore { store in
      var dice = SeededGenerator(seed: seed)
      let words = ["oslo", "Bergen", "århus", "weekend", "東京都", "京都", "a", "plan", "planet", "x1"]
      func text() -> String {
        (0..<Int.random(in: 1...6, using: &dice)).map { _ in words.randomElement(using: &dice)! }.joined(separator: " ")
      }
      let user = newUser()
      let conversations = [try await store.opened(user), try await store.opened(user)]
      var live: [(id: MessageID, text: String)] = []
      for _ in 0..<60 {
        let roll = Int.random(in: 0..<10, using: &dice)
        if roll < 7 || live.isEmpty {
          let conversation = conversations.randomElement(using: &dice)!
          let text = text()
          let message = try await store.appended([text], to: conversation)[0]
          live.append((message.id, text))
        } else if roll < 9 {
          let index = live.indices.randomElement(using: &dice)!
          live[index].text = text()
          _ = try await store.apply(.revise(Revise(live[index].id, content: live[index].text)), as: .user(user))
        } else {
          let gone = live.remove(at: live.indices.randomElement(using: &dice)!)
          _ = try await store.apply(.deleteMessage(DeleteMessage(gone.id)), as: .user(user))
        }
      }
      let searches: [(String, (Set<String>) -> Bool)] = [
        ("oslo", { $0.contains("oslo") }), ("plan", { $0.contains("plan") }),
        ("plan*", { $0.contains("plan") || $0.contains("planet") }), ("AARHUS", { _ in false }),
        ("arhus weekend", { $0.contains("århus") && $0.contains("weekend") }),
        ("京都", { $0.contains("京都") || $0.contains("東京都") }), ("東京都 a", { $0.contains("東京都") && $0.contains("a") }),
        ("bergen x1 oslo", { $0.isSuperset(of: ["Bergen", "x1", "oslo"]) }),
      ]
      for (query, holds) in searches {
        let expected = live.filter { holds(Set($0.text.split(separator: " ").map(String.init))) }.map(\.id)
        let found = try await store.search(SearchQuery(query), PageRequest(limit: 200), as: .user(user)).items
        #expect(found.map(\.message.id) == expected.reversed(), "\(query)")
      }
    }
  }
}
