extension DemoTrip {
  static let kyoto = DemoTrip(
    "京都", ["秋の京都、三泊四日", "京都の紅葉 🍁", "母と京都へ"],
    [
      .init(
        "十一月の下旬に京都へ三泊で行きます。紅葉はまだ見られますか。",
        """
        はい、十一月下旬はちょうど見頃です。東福寺と永観堂は朝八時台がいちばん静かです。夜は清水寺のライトアップもおすすめです 🍁

        混雑を避けるなら、三日目に高雄か大原へ足をのばすとよいでしょう。
        """,
        again: """
          見頃は例年十一月二十日ごろから月末までです。市内なら真如堂と法然院が静かでおすすめです。人の多い嵐山は、朝七時に着くつもりで\
          お出かけください。
          """),
      .init(
        "静かな旅館を探しています。二人で一泊三万円くらいまで。",
        """
        条件に合う宿が二軒あります。一軒は南禅寺の近く、庭に面した八畳の部屋で、夕食なしで二万六千円です。もう一軒は大原の里にあり、\
        味噌鍋の夕食がついて二万九千円です。

        どちらも前日まで無料で取り消せます。お取り置きしましょうか。
        """,
        lookup: .init(
          "room_prices", #"{"city":"京都","guests":2,"nights":3}"#, "南禅寺 26,000円; 大原 29,000円",
          announcement: "空室を調べています。")),
      .init(
        "大原の宿をお願いします。駅からの行き方も教えてください。",
        """
        承知しました。大原の宿を二名様でお取り置きしました。京都駅からは地下鉄で国際会館まで二十分、そこからバスで二十二分です。\
        最終のバスは二十時台ですので、お気をつけください。
        """,
        instead: (
          "南禅寺の宿をお願いします。駅からの行き方も教えてください。",
          """
          承知しました。南禅寺の宿を二名様でお取り置きしました。京都駅から地下鉄で蹴上まで十七分、そこから歩いて五分です。\
          朝の散歩は哲学の道がすぐそばです。
          """
        )),
      .init(
        "雨の日はどこがいいですか。",
        """
        雨の日は苔が美しくなります。西芳寺は予約が要りますが、祇王寺ならそのまま入れます。錦市場で昼を食べて、午後は国立博物館という\
        のも良い一日です ☔
        """),
    ],
    notes: ["母は足が少し悪いです。", "できれば禁煙の部屋でお願いします。", "予定はまだ変わるかもしれません。"])

  static let marrakesh = DemoTrip(
    "marrakesh", ["أربعة أيام في مراكش", "مراكش مع الأطفال", "رحلة أكتوبر إلى المغرب"],
    [
      .init(
        "نريد أربعة أيام في مراكش في شهر أكتوبر. كيف يكون الطقس؟",
        """
        أكتوبر من أجمل الشهور: حوالي 27 درجة في النهار و15 في المساء، والمطر نادر.

        أنصحكم بزيارة المدينة القديمة في الصباح الباكر، وحديقة ماجوريل قبل الظهر، ثم الجلوس في ساحة جامع الفنا عند الغروب 🌅
        """),
      .init(
        "هل يوجد رياض هادئ قريب من الساحة؟",
        """
        نعم، وجدت رياضًا صغيرًا على بعد سبع دقائق من الساحة، فيه ست غرف وحمّام سباحة على السطح. السعر 890 درهمًا لليلة مع الفطور، \
        والإلغاء مجاني حتى قبل الوصول بثلاثة أيام.
        """,
        lookup: .init(
          "room_prices", #"{"city":"Marrakesh","guests":2,"nights":4}"#,
          "riad, 6 rooms: 890 MAD; riad, 11 rooms: 1,150 MAD",
          announcement: "أبحث لكم عن غرف متاحة.")),
      .init(
        "كم تستغرق الرحلة إلى جبال الأطلس؟",
        """
        ساعة ونصف بالسيارة إلى وادي أوريكا، وساعتان إلى إمليل عند سفح جبل توبقال. يوم واحد يكفي لنزهة هادئة وغداء عند العائلات هناك.
        """,
        again: """
          حوالي تسعين دقيقة إلى أوريكا. انطلقوا في الثامنة صباحًا لتصلوا إلى الشلالات قبل الزحام، واحملوا معكم سترة خفيفة لأن الجو أبرد.
          """),
      .init(
        "شكرًا! هل تحجزون لنا سائقًا ليوم الخميس؟",
        """
        بكل سرور. حجزت لكم سائقًا يتكلم العربية والفرنسية يوم الخميس من الثامنة صباحًا إلى السادسة مساءً. يدفع المبلغ عند الوصول، \
        ورقم هاتفه في رسالة التأكيد.
        """),
    ],
    notes: ["معنا طفلان، خمس وتسع سنوات.", "نفضّل الدفع بالبطاقة.", "لا نستعجل الرد."])

  static let patagonia = DemoTrip(
    "patagonia", ["Patagonia: the W trek", "Five days in Torres del Paine", "Hut to hut in Chile"],
    [
      .init(
        "Is the W trek in Torres del Paine possible in five days without a tent?",
        """
        Yes, from hut to hut. Five days and four nights: Paine Grande, Grey, Cuernos, Central. Beds in January are gone by \
        August, so December or early March is easier, and the wind is a little kinder then.
        """),
      .init(
        "Which direction is better, east to west or the other way?",
        """
        West to east. You start with the catamaran over lake Pehoé, warm up at the Grey glacier, and have the climb to the \
        towers on the last morning, when your pack is empty. If the forecast for day one is clear and for day five is not, \
        turn it around.
        """,
        again: """
          I would walk it from east to west when the weather is good at the start: the towers are what you came for, and \
          you then have four more days in which nothing can go wrong.
          """),
      .init(
        "What does the wether do in early march?",
        """
        Everything, in one day. Count on 4 to 15 degrees, gusts of 80 km/h on the passes, and an hour of sun when you have \
        given up. A hard shell, gloves and dry bags matter more than a warm jacket.
        """, corrected: "What does the weather do in early March?",
        lookup: .init(
          "weather", #"{"place":"Torres del Paine","month":3}"#,
          "4 to 15 °C, wind 40 km/h, gusts 80 km/h, 11 days of rain",
          announcement: "Let me look at the last ten years.")),
      .init(
        "How do we get there from Santiago?",
        """
        Fly to Puerto Natales, three hours, if the flight goes on your day; otherwise to Punta Arenas and three hours by \
        bus. Sleep a night in Natales. The bus to the park leaves at 07:00 from the terminal, and you need the printed \
        ticket of the park.
        """),
      .init(
        "One of us is vegan. Will the huts manage?",
        """
        They do, if they know it ten days ahead. I have put a note on all four nights. Bring nuts and something sweet for \
        the way all the same: lunch boxes are mostly cheese, and the guanacos will not trade 🦙
        """),
    ],
    notes: [
      "We are four, all reasonably fit.", "Two of us have done Laugavegur before.", "Please keep the total in dollars.",
    ])

  static let seoul = DemoTrip(
    "seoul-work", ["Seoul, three days of work", "Client dinner in Gangnam", "Seoul, March trip"],
    [
      .init(
        "I have meetings in Gangnam from Tuesday to Thursday. Where should I stay?",
        """
        Stay at Samseong, two stops from your office and with the airport limousine at the door. There is a business hotel \
        with a pool and late check-out for members. If you want evenings rather than sleep, Seongsu is fifteen minutes \
        away and much more fun.
        """),
      .init(
        "I land at five in the morning. Can I have the room at once?",
        """
        I have asked. Early check-in at 7:00 costs half a night, or you use the lounge, with showers and breakfast, for \
        nothing until 11:00. I would take the lounge.
        """,
        lookup: .init(
          "flight_status", #"{"flight":"into ICN","day":"Tuesday"}"#, "on time, 05:05, terminal 2",
          announcement: "I am asking the hotel, and looking at your flight.")),
      .init(
        "Find me a quiet place for dinner with four clients on Wednesday.",
        """
        A room of its own at a Korean restaurant in Cheongdam, seven courses, not too long: reserved for five at 18:30 on \
        Wednesday. They know that one guest eats no pork. The bill comes to the company with the right tax number.
        """,
        instead: (
          "Find me a loud place for dinner with four clients on Wednesday.",
          """
          Then barbecue in Mapo: charcoal in the table, smoke in the jacket, everybody friends by nine. Five seats at \
          19:00, and a karaoke room from 21:30 if nobody has a flight 🎤
          """
        )),
      .init(
        "What do I need for the receipts?",
        """
        The tax receipt, which is not the slip from the card machine: say "segeum gyesanseo". For taxis paid through the \
        app it is in the app. Send me photographs of the rest and I put them into one file on Friday.
        """),
    ],
    notes: ["Two of the clients are from Busan.", "I need an ironing board.", "Please no hotel with a nightclub."])
}
