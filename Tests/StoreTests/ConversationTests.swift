import ConversationModel
import Testing

@Suite struct ConversationTests {
  @Test(arguments: Backend.allCases)
  func `each session has one conversation, null has the default, and no name a new one`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      func open(_ key: SessionKey) async throws -> Conversation {
        try #require(
          try await store.apply(.open(OpenConversation(user: user, session: key)), as: .user(user)).conversation)
      }
      let (phone, web, byDefault) = (
        try await open(.named("phone")), try await open(.named("web")), try await open(.default)
      )
      let (new, other) = (try await open(.new), try await open(.new))
      #expect(Set([phone, web, byDefault, new, other].map(\.id)).count == 5)
      #expect(try await open(.named("phone")) == phone)
      #expect(try await open(.default) == byDefault)
      #expect(byDefault.isDefault && byDefault.sessionID == nil && !phone.isDefault)
      #expect(new.sessionID == new.id.description)
      #expect(try await open(.named(new.id.description)) == new)
      // Names are bytes: a composed and a decomposed letter are two sessions.
      let composed = try await open(.named("\u{E9}"))
      #expect(try await open(.named("e\u{301}")).id != composed.id)
      #expect(try await store.conversation(.session(user, .named("web")), as: .user(user)) == web)
      #expect(
        await code { _ = try await store.conversation(.session(user, .named("car")), as: .user(user)) } == .notFound)
    }
  }

  @Test(arguments: Backend.allCases)
  func `without a session the default conversation is meant if it has messages, else the latest`(
    backend: Backend
  ) async throws {
    try await backend.withStore { store in
      let user = newUser()
      func latest() async throws -> ConversationID {
        try await store.conversation(.defaultOrLatest(user), as: .user(user)).id
      }
      #expect(await code { _ = try await latest() } == .notFound)
      let open = Command.open(OpenConversation(user: user, session: .default))
      let byDefault = try #require(try await store.apply(open, as: .user(user)).conversation)
      #expect(try await latest() == byDefault.id)
      let (one, two) = (try await store.opened(user), try await store.opened(user))
      try await store.appended(["a"], to: one)
      try await store.appended(["b"], to: two)
      #expect(try await latest() == two.id)
      try await store.appended(["c"], to: one)
      #expect(try await latest() == one.id)
      try await store.appended(["d"], to: byDefault)
      try await store.appended(["e"], to: two)
      #expect(try await latest() == byDefault.id)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a title comes from the first line that somebody wrote, until one is given`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let conversation = try await store.opened(user)
      func title() async throws -> String? { try await store.conversation(.id(conversation.id), as: .user(user)).title }
      func update(_ title: UpdateConversation.Title) async throws {
        _ = try await store.apply(.update(UpdateConversation(conversation.id, title: title)), as: .user(user))
      }
      _ = try await store.apply(
        .append(Append(to: conversation.id, [NewMessage(role: .assistant, content: "Welcome!")])), as: .user(user))
      #expect(try await title() == nil)
      try await store.appended(["\n  \u{1B}[31mPlan a trip\u{7} \nto Oslo"], to: conversation)
      #expect(try await title() == "[31mPlan a trip")
      try await store.appended(["another line"], to: conversation)
      #expect(try await title() == "[31mPlan a trip")
      try await update(.named("Oslo"))
      #expect(try await title() == "Oslo")
      try await update(.automatic)
      #expect(try await title() == "[31mPlan a trip")
    }
  }

  @Test(arguments: Backend.allCases)
  func `an update changes what it names, and raises the version by one`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      var expected = try await store.opened(user)
      func update(_ update: UpdateConversation) async throws -> Conversation {
        try #require(try await store.apply(.update(update), as: .user(user)).conversation)
      }
      let context = JSONText(canonical: #"{"a":[1,2]}"#)
      for change in [
        { $0.isPinned = true }, { $0.isArchived = true }, { $0.context = context },
        {
          $0.isPinned = false; $0.isArchived = false
        },
      ] as [(inout UpdateConversation) -> Void] {
        var command = UpdateConversation(expected.id, ifVersion: expected.version)
        change(&command)
        let updated = try await update(command)
        expected.isPinned = command.isPinned ?? expected.isPinned
        expected.isArchived = command.isArchived ?? expected.isArchived
        expected.context = command.context ?? expected.context
        expected.version += 1
        expected.updatedAt = updated.updatedAt
        #expect(updated == expected)
        #expect(try await store.conversation(.id(expected.id), as: .user(user)) == expected)
      }
      #expect(
        await code { _ = try await update(UpdateConversation(expected.id, isPinned: true, ifVersion: 1)) }
          == .preconditionFailed)
      #expect(await code { _ = try await update(UpdateConversation(expected.id, activeBranch: 3)) } == .notFound)
      #expect(try await store.conversation(.id(expected.id), as: .user(user)) == expected)
    }
  }

  @Test(arguments: Backend.allCases)
  func `opening again leaves a conversation alone, or replaces its context where that is asked`(
    backend: Backend
  ) async throws {
    try await backend.withStore { store in
      let user = newUser()
      func open(_ context: String?, replaces: Bool) async throws -> Receipt {
        try await store.apply(
          .open(
            OpenConversation(
              user: user, session: .default, context: context.map(JSONText.init(canonical:)), replacesContext: replaces)
          ),
          as: .user(user))
      }
      #expect(try await open(#"{"a":1}"#, replaces: false).conversation?.context.text == #"{"a":1}"#)
      for (context, replaces) in [(#"{"b":2}"#, false), (nil, true), ("{}", true), (#"{"a":1}"#, true)]
        as [(String?, Bool)]
      {
        let receipt = try await open(context, replaces: replaces)
        #expect(receipt.isReplay && receipt.version == 1 && receipt.conversation?.context.text == #"{"a":1}"#)
      }
      let replaced = try await open(#"{"b":2}"#, replaces: true)
      #expect(!replaced.isReplay && replaced.version == 2 && replaced.conversation?.context.text == #"{"b":2}"#)
    }
  }

  @Test(arguments: Backend.allCases)
  func `lists can be filtered by state, session and title`(backend: Backend) async throws {
    try await backend.withStore { store in
      let user = newUser()
      let titles = ["Ökonomie", "ökologie heute", "Reise", "100% sicher", "a_b"]
      var made: [Conversation] = []
      for (index, title) in titles.enumerated() {
        let open = OpenConversation(user: user, session: .named("s\(index)"), title: title)
        made.append(try #require(try await store.apply(.open(open), as: .user(user)).conversation))
      }
      _ = try await store.apply(.update(UpdateConversation(made[0].id, isArchived: true)), as: .user(user))
      _ = try await store.apply(.update(UpdateConversation(made[2].id, isPinned: true)), as: .user(user))
      func list(_ filter: ConversationFilter, _ limit: Int = 20) async throws -> Set<String> {
        var found: Set<String> = []
        var cursor: String?
        repeat {
          let page = try await store.conversations(filter, PageRequest(limit: limit, cursor: cursor), as: .user(user))
          found.formUnion(page.items.compactMap(\.title))
          cursor = page.next
        } while cursor != nil
        return found
      }
      #expect(try await list(ConversationFilter(isArchived: true)) == ["Ökonomie"])
      #expect(try await list(ConversationFilter(isArchived: false)).count == 4)
      #expect(try await list(ConversationFilter(isPinned: true)) == ["Reise"])
      #expect(try await list(ConversationFilter(sessionID: "s3")) == ["100% sicher"])
      for limit in [1, 2, 20] {
        #expect(try await list(ConversationFilter(titlePart: "ÖKO"), limit) == ["Ökonomie", "ökologie heute"])
      }
      // What a pattern language would read otherwise is plain text here.
      #expect(try await list(ConversationFilter(titlePart: "%")) == ["100% sicher"])
      #expect(try await list(ConversationFilter(titlePart: "_")) == ["a_b"])
      #expect(try await list(ConversationFilter(titlePart: "zz")).isEmpty)
    }
  }
}
