"""Function words, by language: the second sign beside the script and the detector.

Words are lower case. They are chosen to be frequent and telling, not complete: a word that is common in a close
relative of the language as well is left out.
"""

# English words that make a clause. A noun phrase such as a drug's or an institution's name holds none of them.
ENGLISH_CLAUSE = frozenset(
    """is are was were be been being has have had having does did doing can could should would will may might must
    shall cannot not isn aren wasn weren doesn didn don shouldn won hasn haven this that these those which who whom
    whose what when where why how it its they them their he she his her him we our us you your there if because since
    although though while whereas however therefore thus then than such also only very too so but i am do""".split()
)
# English words that join the words of a noun phrase: telling in number only.
ENGLISH_LINK = frozenset(
    """the a an of and or for with in on at to by from as after before during between without under over within into
    through about against until up out all any no some more most other each both""".split()
)
ENGLISH = ENGLISH_CLAUSE | ENGLISH_LINK
# English words that are words of none of the other seven languages in Latin letters, with their marks or without.
ENGLISH_ONLY = frozenset(
    """the and with which that this these those should would could must might have having been were was from they their
    there when because however whereas while although into through after before during between without under until about
    than then what where who whose why how its your you she being does did cannot""".split()
)

# Yoruba without tone and under-dot marks: many writers leave some or all of them out.
LATIN_SCRIPT: dict[str, frozenset[str]] = {
    "en": ENGLISH,
    "fr": frozenset(
        """le la les l un une des du de d et est sont en dans pour par sur avec qui que qu ce cette ces cet se ne pas
        plus au aux ou il elle ils elles son sa ses leur leurs peut peuvent doit doivent être été ont avoir comme afin
        ainsi chez après avant sans entre car mais si très aussi cela c s n lors""".split()
    ),
    "es": frozenset(
        """el la los las un una unos unas de del y es son en para por con que se no al lo su sus como más puede pueden
        debe deben ser esta este esto estos estas está están o pero si ya sin sobre entre cuando también hay ha han
        fue muy desde hasta porque le les debido durante tras""".split()
    ),
    "vi": frozenset(
        """và là của có cho các những được không một này trong với để khi từ bị người như thể cần ở do nên đó hoặc vì
        bệnh sau trước đã sẽ về tại theo cũng nếu phải giúp gây ra đến nhiều việc""".split()
    ),
    "tr": frozenset(
        """ve bir bu için ile olarak olan da de gibi daha çok en veya ya ise ki kadar sonra olup değil göre hasta
        hastanın hastada nedeniyle tarafından olduğu olduğunu gerekir gereklidir önemlidir edilmelidir olabilir şu her
        ne ancak bunun""".split()
    ),
    "sw": frozenset(
        """na ya wa kwa ni katika za la kama ili au hii huu hiyo huo hizi haya yake wake zake kuwa pia cha vya lakini
        si bila baada kabla mgonjwa kupitia sana kwamba mtu watu hivyo kuhusu kutoka hadi wakati inaweza anaweza
        anapaswa inapaswa ambayo ambao ambaye""".split()
    ),
    "ha": frozenset(
        """da na ta ya a ba don wannan wanda wadda ne ce ga daga zuwa cikin shi ita su yana tana suna za zai zata zasu
        kuma ko idan mai masu kan yin kamar akwai saboda wajen domin sun an aka ake jiki ciwon cutar rashin bai lokacin
        bayan tare ta sosai kawai""".split()
    ),
    "yo": frozenset(
        """ti ni ati si ki o a won fun lati je le yii naa gbodo se pelu nipa bi ninu awon ko wa ba n ara aisan tabi
        sugbon nitori eyi ohun eni lo maa ju jẹ pe mo lori kan gbogbo tun nigba iwosan arun""".split()
    ),
}

# Romanised Hindi (Hinglish), as people type it.
HINGLISH = frozenset(
    """hai hain hota hoti hote ho ka ki ke ko se mein mai me par aur ya ye yeh woh wo nahi nahin kya kyun kyunki jo toh
    bhi hi tha thi thee kar karna karen karein kare karo karta karti karte chahiye sakta sakti sakte raha rahi rahe gaya
    gayi gaye liye lekin agar magar jab tab tak ek koi kuch kisi isse usse iska iske iski uska uske uski unka apne apni
    aap aapko aapka mujhe mera meri hum humein unhe inhe lene lena le len dena dene de dein sath saath bahut jaise jisse
    wala wali wale din baar pehle baad kam zyada jyada dard bukhar dawa dawai khana pani turant hone hona aayi aaya aaye
    leni jaye jayein jata jati jate hua hui hoon kaise kahan kab abhi phir warna bina andar upar neeche rakhein lagayein
    piyein khayein karwa karwana karwayein bhej theek matlab sabse zaroori yahi wahi isliye unhone diya nahin""".split()
)

HINDI = frozenset(
    """है हैं के का की को में से और पर यह वह ये वे नहीं कि जो तो भी था थी थे कर करें करना करने करता करती करते जा जाता
    जाती जाते जाना जाए सकता सकती सकते रहा रही रहे होता होती होते होना होने हुआ हुई हुए चाहिए लिए गया गई गए ने इस उस इसे
    उसे इसके उसके इसका उसका इसकी उसकी उनके उन्हें इन्हें इन उन या साथ जैसे तक लेकिन यदि अगर क्योंकि जब तब अपने अपनी अपना
    कोई कुछ द्वारा बाद पहले जिससे जिसमें इसमें इससे सबसे अधिक केवल दें लें दिया दी दिए वाले वाली वाला वहाँ यहाँ मैं
    आप आपको हम हमें मेरा मेरी रखें देना लेना होगा होगी कम बहुत कैसे क्या कौन अलावा
    कलाई भलाई मलाई सिलाई""".split()
)
# Words that Hindi shares (होते, जाते, हो, तर, तथा, वा, एक) are in neither list.
MARATHI = frozenset(
    """आहे आहेत आणि नाही नाहीत किंवा मध्ये म्हणून म्हणजे तसेच असते असतो असतात असू असेल असल्यास शकते शकतो शकतात पाहिजे
    येते येतो येतात केले केली केला करणे करावे करावी करावा करून झाला झाली झाले होऊ व तो ती त्या त्याला तिला त्यांना
    त्याच्या तिच्या त्यामुळे यामुळे मुळे ज्यामुळे साठी पासून हे हा या माझे माझ्या मला तुम्ही तुम्हाला आपण आपल्या कधी
    काय कसे कोणते जर तर घ्या घ्यावे घ्यावी घेणे द्या द्यावे द्यावी देणे होत होतो जास्त खूप फक्त नये लागते लागतो वर
    सर्व इतर अशा असा अशी रुग्णाला रुग्णाची रुग्णांना रुग्णास दिवसातून वेळा दिसतात दिसून व्यक्तीला
    आम्ही आम्हाला आमच्या तुमचा तुमचे तुमच्या माझा माझी कुठे केव्हा कोणत्याही कोणतेही करू नका नको करत आहोत आहात थोडे असून
    असल्याने झाल्यास झाल्यावर होण्याची काहीही आठवडे महिने गेले गेली दिले दिली येईल होईल लागेल""".split()
)
NEPALI = frozenset(
    """छ छन् छैन छैनन् हुन्छ हुन्छन् हुँदैन हुनु हुने हुन गर्न गर्नु गर्छ गर्छन् गर्ने गरेर गरेको गरिन्छ गर्नुपर्छ गर्नुहोस्
    भएको भएमा भने पनि र यो त्यो यसले यसको तपाईं तपाईंको उनको लाई बाट सक्छ सक्छन् सकिन्छ पर्छ पर्दछ जस्तै जस्ता
    तर अथवा वा लागि साथै दिनु दिने लिनु लिने आउने आउँछ लाग्ने लाग्छ थियो थिए गर्दा हुँदा देखि सम्म अनि धेरै मात्र
    बिरामी बिरामीलाई बिरामीको खाने कारण कारणले भन्दा नै केही नगर्नुहोस् ज्वरो
    कुन कुनै किन कसरी कहाँ कसले कति आफ्नो आफ्नै उनी उनले हामी हामीले तपाईंले तिनीहरू गरी भएर भयो भए गर्दै गरे हुँदा हुनसक्छ
    गराउनु लगाउने राख्नु राख्ने बनाउँछ बढाउँछ घटाउँछ""".split()
)
# Endings that Hindi words do not have: Marathi's oblique cases and verbs, Nepali's joined postpositions and verbs.
MARATHI_ENDINGS = (
    "च्या ांची ांचा ांचे ाची ाचे ीचे ीची ीचा ातील मध्ये साठी ण्याची ण्याचे ण्यास ांना ामुळे ांमुळे ांवर ावर ्यावे ळावे वावे रावे "
    "्यावी ळावी ्यावा ल्यास ल्याने ल्या तात तील णारे णारी णारा ण्यात ण्याचा पासून ासह"
)
NEPALI_ENDINGS = (
    "न्छ न्छन् ँछ र्छ र्छन् क्छ क्छन् ग्छ स्छ दैन दैनन् एको एका एमा लाई हरू हरु हरूलाई हरूको नुपर्छ नुहोस् नुपर्दछ िन्छ ्दछ ँदा हरूमा हरूले नुहुन्छ नुहुँदैन"
)

# Tigrinya beside Amharic: ኣ where Amharic writes አ, the ቐ row, its own pronouns, prepositions and verb "to be".
AMHARIC = frozenset(
    """ነው ናቸው ነበር ነበረ ላይ ውስጥ እና ወይም ይህ ይህም ይህን ይህንን የሆነ ለማድረግ ማድረግ አለበት አለባቸው ይችላል ይችላሉ ሊሆን ሆኖ ናት እንደ ከዚህ በዚህ
    እንዲሁም ምክንያት ምክንያቱም ስለ ስለሆነ በጣም ብዙ አንድ ጊዜ ወደ ጋር እንዲህ ለምሳሌ ይገባል ያስፈልጋል ያስፈልገዋል በኋላ በፊት ሲሆን ጋራ ሕመምተኛው ታካሚው
    ለዚህ የለበትም አይደለም ነገር ግን ሰው ሰዎች""".split()
)
TIGRINYA = frozenset(
    """እዩ እያ እዮም እየን ኣሎ ኣላ ኣለዎ ኣለዋ ኣለዎም ኣብ ካብ ናብ ናይ እቲ እታ እቶም ነቲ ነታ ነዚ ከምኡ ከምኡውን ድማ ከኣ ምስ እዚ እዛ ብዛዕባ ክሳብ ስለዝኾነ
    ዝኾነ ኮይኑ ኮይና ኣይኮነን ክኸውን ክህሉ ይኽእል ትኽእል ይኽእሉ ክኽእል ንምክልኻል ንምሕጋዝ ብዙሕ ብዙሓት ሓደ ሓንቲ ሕማም ሕሙም ሓኪም ምኽንያት
    ምኽንያቱ ስለዚ ኣድላዪ የድሊ ይግባእ ይግበር ንሱ ንሳ ንሳቶም እንተኾይኑ እንተሃልዩ ቅድሚ ድሕሪ ዘለዎ ዘለዋ ዘለዎም መድሓኒት ማይ ይሰቲ ምውሳድ
    ምግባር ክትገብር ክገብር ክወስድ ክትወስድ ኩሉ ኩሎም ኢዩ""".split()
)
# Function characters of written Chinese. The first seldom stand in Japanese; the others do, but hardly two of them in a
# sentence without kana.
CHINESE_ONLY = frozenset("這这們们您你她它嗎吗呢吧啊麼么什很")
CHINESE_PARTICLES = frozenset("的了是也與与為为對对請请並并應应")
