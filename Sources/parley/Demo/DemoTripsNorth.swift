extension DemoTrip {
  static let oslo = DemoTrip(
    "oslo-weekend", ["A weekend in Oslo", "Oslo with the boy", "Oslo, and on to Bergen"],
    [
      .init(
        "We have two days in Oslo in May, two adults and a boy of seven. What should we not miss?",
        """
        With a seven-year-old I would build both days around the water.

        Saturday: the Fram museum, where he can climb through a real polar ship, then the island ferry to Hovedøya for a \
        picnic and the ruins of the abbey. Sunday: the roof of the Opera, which is meant to be walked on, and the \
        sculptures in Vigeland park.

        The city card pays for itself from the third museum on, and includes the ferries.
        """,
        again: """
          Two days are enough for the harbour and the hills.

          Start at Akershus fortress in the morning and walk along the harbour to the Opera. Take tram 12 to Vigeland \
          park after lunch. On the second day ride metro 1 up to Frognerseteren: half an hour through the forest, a \
          playground, and waffles with a view over the whole fjord.
          """),
      .init(
        "Which hotel is quiet and near the station?",
        """
        I found two that fit. One stands in a side street behind the cathedral, six minutes from Oslo S, with a family \
        room on the courtyard. The other is by the Opera: a little dearer, and very quiet since the cars have gone.

        Shall I hold the family room for 24 hours? It costs nothing.
        """,
        lookup: .init(
          "room_prices", #"{"city":"Oslo","guests":3,"nights":2}"#,
          "family room, courtyard: 2 left; family room, fjord side: 5 left",
          announcement: "I am asking the hotels for rooms for three.")),
      .init(
        "How much for two nigths, with breakfast?",
        """
        Both nights together, breakfast for three included: 3,480 kr at the cathedral and 4,190 kr by the Opera. Children \
        under twelve have breakfast free at both. You can cancel until two days before.
        """, corrected: "How much for two nights, with breakfast?"),
      .init(
        "Can we go on to Bergen by train afterwards?",
        """
        Yes, and it is the best part of the trip. The train leaves Oslo S at 08:25 and 12:03 and takes about seven hours \
        over the Hardanger plateau. Sit on the left for the lakes. Between Finse and Myrdal there is snow well into May ❄️

        Reserve early: the family compartment with the play corner is gone first.
        """,
        instead: (
          "Can we go on to Bergen by night train?",
          """
          You can: it leaves Oslo S at 23:03 and reaches Bergen before seven. With a child I would take a compartment of \
          your own, two beds and a mattress. You save a hotel night, but you sleep through the view.
          """
        ),
        lookup: .init(
          "train_times", #"{"from":"Oslo S","to":"Bergen"}"#, "08:25-15:12, 12:03-18:57, 23:03-06:51",
          announcement: "Let me look at the timetable.")),
      .init(
        "And if it rains the whole time?",
        """
        Then Oslo is still kind to you: the science museum at Solli has a hall full of things to pull and push, the new \
        library lets children build robots, and the swimming hall at Tøyen is two metro stops away. Pack a dry pair of \
        socks for everybody 🌧️
        """),
    ],
    notes: [
      "No hurry, we are only leaving in May.", "The boy is afraid of deep water, by the way.",
      "My sister may come too, so perhaps four of us.",
    ])

  static let lofoten = DemoTrip(
    "lofoten", ["Lofoten by camper van", "Nine days up north", "Lofoten with the dog 🐕"],
    [
      .init(
        "Nine days on the Lofoten with a camper, end of August. Is that the right time?",
        """
        It is a fine time. The midnight sun is over, so you get real sunsets and, from about the 25th, a chance of the \
        first northern lights. The crowds are gone after the 20th, and berries are ripe along every path.

        Expect 9 to 14 degrees and one day of rain in two.
        """),
      .init(
        "Where may we stay overnight for free?",
        """
        On open land, 150 metres from the nearest house and for one night, you may. In practice the islands have put up \
        signs at most beaches, because there were too many of us. Plan with small campsites: Hov, Moskenes and Uttakleiv \
        have room in late August without a reservation.
        """),
      .init(
        "Is the ferry from Bodø to Moskenes running that week?",
        """
        It runs: four times a day that week, a little over three hours. Vans can be booked on two of them, the others \
        fill by queue. If the wind goes above 20 m/s the crossing is moved; you get a message the evening before.
        """,
        again: """
          Yes, with four sailings a day. I would book the one at 14:30: you drive off before dinner time and the light on \
          the mountains is at its best. Take something warm on deck; the first hour is open sea.
          """,
        lookup: .init(
          "ferry_times", #"{"from":"Bodø","to":"Moskenes","week":35}"#, "4 a day; 06:00, 10:15, 14:30, 18:45",
          announcement: "I am checking the ferry plan for week 35.")),
      .init(
        "Give us one hike that is worth it and not dangerous.",
        """
        Ryten, from the beach at Kvalvika. Two and a half hours up, never exposed, and from the top you look down on the \
        beach as from an aeroplane. Start at Innersand, go before ten, and leave the rock where everybody queues for a \
        photograph to the others.
        """,
        instead: (
          "Give us one hike that is worth it, for somebody with bad knees.",
          """
          Then walk the old road around Unstad to Eggum: nine kilometres along the sea, hardly a climb, sheep for company. \
          There is a café in the old radar station at the end, and a bus back at five.
          """
        )),
    ],
    notes: [
      "We have winter tyres on the van anyway.", "Bodø is where we pick it up.", "Two people, one large dog 🐕",
    ])

  static let edinburgh = DemoTrip(
    "edinburgh", ["Edinburgh on a budget", "Three nights in Edinburgh", "Scotland in June"],
    [
      .init(
        "Three nights in Edinburgh for under 300 pounds, is that possible in June?",
        """
        It is, outside of the festival. A private room in a good hostel at the Grassmarket is 62 pounds a night, the \
        airport tram 7.50 each way, and the best things cost nothing: the museum, Arthur's Seat, the closes of the Royal \
        Mile. That leaves you about 30 pounds a day for food.
        """),
      .init(
        "Are there vegetarian breakfasts that are not sad?",
        """
        Many. Scotland does a vegetarian haggis that convinces even butchers. In Leith there is a bakery with cardamom \
        buns and a queue until half past nine, and near the Meadows a café that puts halloumi on everything.
        """),
      .init(
        "My flight lands at 23:40. How do I get into town?",
        """
        The last tram has gone by then, but the night bus N100 leaves from stop D every half an hour, all night, and takes \
        30 minutes to the centre. Your flight is on time at the moment. The hostel's desk is open around the clock; I have \
        written down your arrival.
        """,
        lookup: .init(
          "flight_status", #"{"arrives":"23:40","airport":"EDI"}"#, "scheduled 23:40, expected 23:36",
          announcement: "One moment, I am looking at your flight.")),
      .init(
        "Is one day in the Highlands worth it?",
        """
        One day is a lot of bus: five hours of it for an hour in Glencoe. I would rather take the train to North Berwick, \
        thirty minutes, and look at gannets and a castle on a cliff. Keep the Highlands for when you have four days.
        """,
        instead: (
          "Is one day in the Highlands worth it if I start at six?",
          """
          Starting at six changes things. The 07:06 to Pitlochry has you on a hill by ten: Ben Vrackie is a good path, \
          and the smoked salmon at the foot of it is better. Be back at the station for the 17:44.
          """
        )),
    ],
    notes: ["Under 300 means with the trams!", "I do not eat fish either.", "Hand luggage only."])
}
