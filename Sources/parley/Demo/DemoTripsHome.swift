extension DemoTrip {
  static let alps = DemoTrip(
    "huettentour", ["Hüttentour im Karwendel", "Vier Tage in den Bergen", "Karwendel mit Mama"],
    [
      .init(
        "Wir wollen im Juli vier Tage von Hütte zu Hütte. Was ist für Anfänger geeignet?",
        """
        Für vier Tage ohne Klettersteige passt das Karwendel sehr gut: Scharnitz, Karwendelhaus, Falkenhütte, Lamsenjochhütte, \
        Schwaz. Am Tag sind es vier bis sechs Stunden, immer auf guten Wegen.

        Im Juli liegt oben nur noch in den Rinnen Schnee. Reserviert die Falkenhütte zuerst, sie ist am schnellsten voll.
        """),
      .init(
        "Gibt es noch Betten für drei Personen ab dem 12. Juli?",
        """
        Ja: im Karwendelhaus ein Zimmer für drei, auf der Falkenhütte drei Lager, auf der Lamsenjochhütte wieder ein Zimmer. \
        Ich kann alles zusammen bis heute Abend halten. Mit Alpenvereinsausweis wird es zwölf Euro pro Nacht günstiger.
        """,
        lookup: .init(
          "room_prices", #"{"huts":3,"guests":3,"from":"07-12"}"#,
          "Karwendelhaus 1 room, Falkenhütte 9 beds, Lamsenjoch 2 rooms",
          announcement: "Ich frage bei den Hütten nach.")),
      .init(
        "Was kommt in den Rucksack?",
        """
        Höchstens acht Kilo: Hüttenschlafsack, Regenjacke, eine warme Schicht, Wechselwäsche, Stirnlampe, Sonnencreme, Bargeld. \
        Auf den Hütten gibt es Hausschuhe und abends Kaiserschmarrn 🥞 Wasser füllt ihr unterwegs an Brunnen auf.
        """,
        again: """
          Weniger als ihr denkt. Zwei Hemden, eine Hose, Regenzeug, Hüttenschlafsack, Zahnbürste, Karte und Bargeld reichen für \
          vier Tage. Alles, was „vielleicht“ mit soll, bleibt im Auto.
          """),
      .init(
        "Und wenn ein Gewitter komt?",
        """
        Dann früh los: Gewitter kommen im Juli meist nach 14 Uhr. Seid bis mittags über dem Joch, und fragt am Morgen die \
        Wirtin, sie sieht den Himmel seit dreißig Jahren. Bei Blitz weg vom Grat, weg vom Drahtseil, in die Hocke.
        """, corrected: "Und wenn ein Gewitter kommt?"),
      .init(
        "Wie kommen wir von Schwaz zurück nach Scharnitz zum Auto?",
        """
        Mit der Bahn über Innsbruck, eineinhalb Stunden: 14:09, 15:09 und dann jede Stunde. Das Tagesticket für drei kostet \
        weniger als drei einzelne. Das Auto steht in Scharnitz am besten auf dem Parkplatz an der Länd.
        """,
        instead: (
          "Können wir auch ohne Auto anreisen?",
          """
          Ja, und es ist sogar bequemer: mit dem Zug über Mittenwald bis Scharnitz, und von Schwaz direkt nach München zurück. \
          Dann müsst ihr nicht zum Auto zurück und gewinnt einen halben Tag.
          """
        )),
    ],
    notes: [
      "Meine Mutter geht vielleicht auch mit.", "Wir sind eher langsam unterwegs.",
      "Hund haben wir diesmal keinen dabei.",
    ])

  static let refund = DemoTrip(
    "booking-48211", ["Cancelled flight, booking 48211", "Lisbon, cancelled this morning", "Refund for two seats"],
    [
      .init(
        "My flight to Lisbon was cancelled this morning. What happens now?",
        """
        I am sorry, that is a bad start. You may choose: another flight at the first opportunity, or your money back within \
        seven days. As it was cancelled on the day itself, a compensation is due on top unless the reason was the weather \
        or a strike at the airport.
        """,
        lookup: .init(
          "flight_status", #"{"booking":48211}"#, "cancelled 06:12, reason: crew",
          announcement: "I have your booking here. One moment.")),
      .init(
        "Get me there today if you can.",
        """
        I can: by way of Madrid, leaving 13:20, in Lisbon at 17:05. It is two seats in row 22, together. Your suitcase goes \
        through. I hold it for twenty minutes; say yes and it is yours, without any cost.
        """,
        instead: (
          "Get me there tomorrow morning, direct.",
          """
          Tomorrow at 07:10 there is a direct one with seats at the front. The airline pays for a night at the airport hotel \
          and dinner, and I have asked for the voucher. It arrives in your mail within the hour.
          """
        )),
      .init(
        "Yes, take it.",
        """
        Done. Your boarding passes are in the app and in your mail, gate to be announced at 12:35. There is a lounge you may \
        use, behind security on the left; show them this booking 🛫
        """),
      .init(
        "How do I get the compensation?",
        """
        I have filed it for both of you: 250 euros each, the reason given was the crew, which counts. The airline has to \
        answer within fourteen days. I ask them again on the tenth if they have not.
        """),
    ],
    notes: [
      "We are at the airport already.", "My husband is 1.98 m, an aisle seat would help.", "Thank you, that was quick!",
    ])

  static let honeymoon = DemoTrip(
    "azores", ["Azores, two weeks for two", "Honeymoon 💐", "Whales and hot springs"],
    [
      .init(
        "Two weeks on the Azores, it is our honeymoon. Which islands?",
        """
        Congratulations! 💐 Three islands, not more: São Miguel for hot springs and whales, Pico for the mountain and its \
        wine, Faial for the harbour where all the sailors meet. Flores is the most beautiful of all, but one storm and you \
        stay there, which on a honeymoon may be what you want.
        """,
        again: """
          Congratulations! 💐 I would take two: one week São Miguel, one week Flores. Hydrangeas along every road, waterfalls \
          into the sea, and hardly anybody else. Pico and Faial are for the second visit.
          """),
      .init(
        "Do we need a car everywhere?",
        """
        On São Miguel and Flores yes, on Pico for two days, on Faial a taxi is enough. Small cars are better: the lanes \
        between the walls were made for donkeys. I have put two drivers on each contract, at no extra cost.
        """),
      .init(
        "When do the whales come?",
        """
        Sperm whales live there all year, the big blue ones pass in April and May. Sightings were at 97 % last season. \
        Morning trips are calmer; take the small boat if you can stand it, you sit an arm's length above the water 🐋
        """,
        lookup: .init(
          "season", #"{"place":"Azores","what":"whales"}"#, "sperm whale: all year; blue and fin whale: April, May",
          announcement: "Let me ask our colleague in Ponta Delgada.")),
      .init(
        "Surprise my wife with something on the last evening.",
        """
        A table for two in the crater at Furnas: the stew cooks in the hot ground all day, and at six they dig it out in \
        front of you. I have told them about the occasion, and that she likes no fennel. Not a word from me 🤫
        """,
        instead: (
          "Surprise my wife with something that is not food.",
          """
          A night swim in the warm pool at Ponta da Ferraria, where the hot spring runs into the sea: at low tide, under the \
          stars, with a driver who waits. Low tide is at 21:40 on your last evening.
          """
        )),
    ],
    notes: [
      "Please never write to my wife's address about this.", "We would like to leave on a Tuesday.",
      "She gets seasick.",
    ])

  static let interrail = DemoTrip(
    "interrail", ["Interrail, Lisbon to Tallinn", "Europe by train in three weeks", "Night trains and hostels"],
    [
      .init(
        "Lisbon to Tallinn by train in three weeks, I am 19. Is one pass enough?",
        """
        One pass with ten travel days is right for it. Portugal to Madrid is the weak spot, there is still no through train, \
        so count two days for that. From Warsaw on you have the new line to Vilnius, then a bus over the last gap to Riga.
        """),
      .init(
        "Which of these trains need a reservation?",
        """
        The fast trains in Spain and France, and all night trains: about 65 euros in total if you book six weeks ahead. In \
        Germany, Poland and the Baltics you just get on.
        """,
        again: """
          Spain, France and every sleeper. Everything else you board with the pass alone. Put the reservations first into \
          your plan and the free days around them, not the other way round.
          """),
      .init(
        "What is the cheapest way to sleep?",
        """
        Night trains: Paris to Berlin and Vienna to Warsaw each save you a hostel. Else hostels with kitchens; I have marked \
        eleven along the way under 25 euros. In Vilnius a monastery takes guests for 15, breakfast at seven, silence at ten.
        """),
      .init(
        "I missed the train in Lyon!! What now?",
        """
        No harm done. The next to Geneva leaves at 16:34 from track E, your pass is good for it and it needs no reservation. \
        You still make the sleeper in Zürich, with eleven minutes to spare. Walk to the front of the train now: that saves \
        you three of them 🏃
        """,
        lookup: .init(
          "train_times", #"{"from":"Lyon Part-Dieu","to":"Genève"}"#, "16:34 track E, 18:34 track C",
          announcement: "Stay calm, I am looking.")),
      .init(
        "You saved my trip. Send me a postcard list?",
        """
        Gladly: Porto, the tram on the hill. Lyon, the clock with the angels. Wien, anything but the Riesenrad. Vilnius, the \
        hill of the three crosses. Tallinn, the view from Patkuli at sunrise. Stamps for abroad are sold at every kiosk.
        """),
    ],
    notes: ["My battery is at 9 %.", "I can sleep anywhere, really.", "Mum wants to know where I am every evening 🙄"])

  static let team = DemoTrip(
    "offsite", ["Team offsite for 24 people", "Offsite at a lake", "Two days out of Berlin"],
    [
      .init(
        "We are 24 people and need two days somewhere with a lake, from Berlin. Ideas?",
        """
        Three that work by train: a manor house at Lake Schwielochsee with one large room and saunas, a former school near \
        Templin that you have to yourselves, and a hotel in Bad Saarow with everything and no surprises. I would take the \
        school.
        """),
      .init(
        "The school. What does it cost with food?",
        """
        148 euros for each of you: one night, three meals, the hall with projector, and the rowing boats. Vegetarian by \
        default. The kitchen wants to know allergies seven days ahead, and I can send your colleagues a form for that.
        """,
        instead: (
          "The manor house. What does it cost with food?",
          """
          196 euros for each of you, with dinner in the greenhouse. Six have to share rooms of two. The saunas are included, \
          the boats are not.
          """
        )),
      .init(
        "How do 24 people get there with luggage?",
        """
        The regional train at 09:12 has room for a group of that size if it is announced, which I have done. From the station \
        a bus takes you the last nine kilometres; the return is on Thursday at 16:30. One of you has to carry the group \
        ticket: who shall it be?
        """,
        lookup: .init(
          "train_times", #"{"from":"Berlin","to":"Templin","group":24}"#, "09:12-10:38, 11:12-12:38",
          announcement: "Let me see which trains take groups.")),
      .init(
        "Plan the first evening.",
        """
        Fire by the lake from seven, bread on sticks, and a quiz about who said what in last year's chat, which I can prepare \
        if you send me a file. Nobody has to sing. There is a room without music for those who have had enough by nine.
        """,
        again: """
          Rowing race at six, four boats, winners choose the music. Dinner outside if it is dry. After that the hall is yours: \
          table tennis, a piano in tune, and board games in the cupboard on the left.
          """),
    ],
    notes: ["It may become 26.", "Budget is 5,000 in total.", "Nobody wants a trust fall."])
}
