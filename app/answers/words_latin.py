"""The words around an option letter in the languages of Latin script."""

from app.answers.words import Words

ENGLISH = Words(
    questions="question|q",
    answers="answer|answers|ans|ans.|correct one|right one|correct:",
    options="option|choice|alternative|letter|opt|opt.",
    correct=(
        "correct|right|best|true|final|most likely|most appropriate|appropriate|suitable|most suitable|"
        "most accurate|accurate|single best"
    ),
    links=(
        "is|are|would be|will be|should be|must be|has to be|it is|it's|i think|i believe|probably|likely|"
        "definitely|clearly|therefore|thus|hence|simply|indeed|here|the|to the question|to this question|"
        "for this question|to the above question|choice|="
    ),
    copulas="is|are|would be|must be",
    final_copulas="",
    after="because|since|i.e|i.e.|ie",
    after_letter="as|which|is|for|due to|with|given|that is|rather than|in this|based on|according to",
    praises=(
        r" (?:is|would be|must be|should be|seems|appears|remains)(?: (?:clearly|definitely|"
        r"therefore|thus|indeed|most likely|likely|probably|also|actually))*(?: (?:the|my|our|"
        r"a))?(?: (?:only|single|final|most|one))*(?: (?:correct|right|true|accurate|appropriate|"
        r"suitable|best))?(?: (?:answer|option|choice|one))",
        r" (?:is|would be|must be|should be|seems|appears)(?: (?:clearly|definitely|therefore|"
        r"thus|indeed|most likely|likely|probably|also|actually))*(?: the)?"
        r"(?: most)? (?:correct|right|true|accurate|appropriate|suitable|best)",
    ),
    choices=(
        "therefore|thus|hence|so|i choose|i'd choose|i would choose|i pick|i select|choose|select|"
        "i'd go with|i would go with|i'll go with|my choice|it's|it is|i think it's|i think it is|go with"
    ),
    wrong=(
        "wrong|❌|✗|✘|incorrect|false|inappropriate|not correct|not right|not the answer|ruled out|"
        "not the correct answer|not the right answer|not appropriate|not true|worst|least|unlikely"
    ),
    against=(
        "contraindicated|avoid|avoided|avoiding|stop|stopped|discontinue|discontinued|harmful|dangerous|"
        "allergic|allergy|instead"
    ),
    negations="not|isn't|cannot be|can't be|is not|never",
    joins="or|and|nor|and/or|as well as|plus",
    corrections=(
        "wait|actually|correction|i mean|sorry|on second thought|on reflection|reconsider|instead|no,|rather|"
        "however|but|scratch that|let me correct"
    ),
    conclusions=(
        "on reflection|therefore|thus|hence|so|final|finally|in conclusion|conclusion|in summary|overall|"
        "consequently|ultimately"
    ),
    conditions="if|whether|unless|suppose|assuming",
    exceptions="except|except for|except option|other than|excluding|besides|apart from|unlike",
)

FRENCH = Words(
    questions="question",
    answers="réponse|réponses",
    options="option|choix|proposition|lettre|alternative",
    correct=(
        "correcte|correct|bonne|bon|juste|exacte|exact|finale|la plus appropriée|appropriée|la plus probable|meilleure"
    ),
    links=("est|est donc|serait|la|le|l'|c'est|est la|donc|sera|doit être|à la question|à cette question|lettre"),
    copulas="est|sont|serait",
    final_copulas="",
    after="car|parce que|puisque|c'est-à-dire|donc",
    after_letter="est|qui|en raison",
    praises=(
        r" (?:est|serait)(?: donc| bien)?(?: la| le)?(?: seule| plus)?(?: (?:bonne|bon|meilleure|"
        r"meilleur))? (?:reponse|option|choix|proposition)(?: (?:correcte?|exacte?|juste|la plus appropriee))?",
        r" (?:est|serait)(?: donc| bien)?(?: la| le)?(?: seule?| plus)?"
        r" (?:correcte?|exacte?|juste|appropriee?|bonne)",
    ),
    choices="donc|par conséquent|ainsi|je choisis|c'est",
    wrong="incorrecte|incorrect|fausse|faux|mauvaise|erronée|erroné|inexacte|inappropriée",
    against="contre-indiqué|contre-indiquée|éviter|évitez|arrêter|allergique",
    negations="n'est pas|n'est|pas|non",
    joins="ou|et|ou bien|ainsi que",
    corrections="non,|attendez|en fait|pardon|plutôt|correction|mais|cependant|toutefois",
    conclusions="donc|par conséquent|ainsi|finalement|finale|en conclusion|en résumé|conclusion",
    conditions="si|à supposer",
    exceptions="sauf|excepté|hormis|à l'exception de",
)

HAUSA = Words(
    questions="tambaya",
    answers="amsa|amsar|amsata|amsarta|amsoshi",
    options="zaɓi|zabi|zaɓin|zabin|harafi|harafin",
    correct=(
        "daidai|mai kyau|da ta dace|da ya dace|ta dace|mafi dacewa|ingantacciya|ingantacciyar|ta gaskiya|"
        "ta ƙarshe|ta karshe|ta daidai|mai daidai|na daidai|da take daidai|tambayar|sahihi|sahihiyar"
    ),
    links="ita ce|itace|shi ne|shine|ce|ne|tambayar|ga tambayar|wannan ita ce",
    copulas="shi ne|shine|ita ce|itace",
    final_copulas="ne|ce",
    after="ne|ce|saboda|domin",
    after_letter="don|wanda|wato",
    praises=(
        r" (?:ne|ce|shi ne|shine|ita ce|itace) (?:amsa|amsar|zabi|zabin)"
        r"(?: (?:da ta dace|da ya dace|daidai|mai kyau|ta daidai|mafi dacewa))?",
        r" (?:ne |ce |shi ne |shine |ita ce |itace )?(?:daidai)(?: ne| ce)?",
    ),
    choices="saboda haka|don haka|na zaɓi|zaɓi",
    wrong="kuskure|ba daidai|ba daidai ba|ba daidai ba ne|ba gaskiya",
    against="guji|haram",
    negations="ba|bata|ba ita ce|ba shi ne|ba amsa",
    joins="ko|da|ko kuma|kuma",
    corrections="a'a|yi haƙuri|amma|a gaskiya|gyara",
    conclusions="saboda haka|don haka|a ƙarshe|ta ƙarshe|a karshe|ta karshe",
    conditions="idan|in har",
    exceptions="ban da|sai dai|ayafi",
)

SPANISH = Words(
    questions="pregunta",
    answers="respuesta|respuestas|contestación",
    options="opción|alternativa|inciso|letra|literal|elección",
    correct=(
        "correcta|correcto|acertada|adecuada|más adecuada|más apropiada|apropiada|verdadera|final|más probable|mejor"
    ),
    links="es|sería|será|debe ser|la|el|es la|es el|por lo tanto|a la pregunta|a esta pregunta",
    copulas="es|son|sería",
    final_copulas="",
    after="porque|ya que|pues|dado que|puesto que",
    after_letter="debido a|es|que",
    praises=(
        r" (?:es|seria)(?: la| el)?(?: unica)?(?: mejor)? (?:respuesta|opcion|alternativa)"
        r"(?: (?:correcta|mas adecuada|adecuada|acertada))?",
        r" (?:es|seria)(?: la| el)?(?: unica| mas)? (?:correct[ao]|adecuad[ao]|acertad[ao]|apropiad[ao])",
    ),
    choices="por lo tanto|por tanto|así que|elijo|escojo|entonces|es",
    wrong=("incorrecta|incorrecto|errónea|erróneo|falsa|falso|equivocada|inadecuada|no es correcta|no es la respuesta"),
    against="contraindicado|contraindicada|evitar|evite|suspender|alérgico|alérgica",
    negations="no es|no|no puede ser",
    joins="o|y|u|e|o bien|así como",
    corrections="no,|espera|espere|en realidad|perdón|más bien|corrección|pero|sin embargo",
    conclusions="por lo tanto|por tanto|así que|finalmente|final|en conclusión|conclusión|en resumen|entonces",
    conditions="si",
    exceptions="excepto|salvo|menos|a excepción de",
)

SWAHILI = Words(
    questions="swali",
    answers="jibu|majibu|jawabu",
    options="chaguo|chaguzi|herufi|uchaguzi",
    correct=(
        "sahihi|la sahihi|lililo sahihi|lililosahihi|bora|la mwisho|linalofaa|linalofaa zaidi|la kweli|"
        "sahihi zaidi|iliyo sahihi"
    ),
    links="ni|ndilo|ndiyo|ndio|litakuwa|la swali|la swali hili|kwa hiyo",
    copulas="ni|ndiyo|ndilo",
    final_copulas="",
    after="kwa sababu|kwani|kwa kuwa|yaani",
    after_letter="ambayo|ambalo|ndilo|ndiyo|ni",
    praises=(
        r" (?:ni|ndilo|ndiyo|ndio|ndicho)(?: (?:jibu|chaguo))(?: (?:lililo |la )?(?:sahihi|bora))?(?: zaidi)?",
        r" (?:ni|ndilo|ndiyo|ndio|ndicho)(?: lililo| la| iliyo)? (?:sahihi|bora)(?: zaidi)?",
    ),
    choices="kwa hiyo|kwa hivyo|hivyo|nachagua|ninachagua|basi",
    wrong="si sahihi|sio sahihi|siyo sahihi|makosa|potofu|batili|lisilo sahihi|si jibu",
    against="epuka|hatari",
    negations="si|sio|siyo|sicho|silo",
    joins="au|na|ama|pamoja na",
    corrections="hapana|samahani|subiri|lakini|kwa kweli|marekebisho|bali",
    conclusions="kwa hiyo|kwa hivyo|hivyo|hatimaye|la mwisho|mwishowe|kwa muhtasari",
    conditions="kama|ikiwa|iwapo",
    exceptions="isipokuwa|ila|kasoro",
)

TURKISH = Words(
    questions="soru",
    answers="cevap|cevabı|cevabım|yanıt|yanıtı|yanıtım|cevaplar",
    options="seçenek|seçeneği|seçeneğidir|seçeneğini|şık|şıkkı|şıkkıdır|şıkkını|harf|harfi",
    correct="doğru|en doğru|uygun|en uygun|nihai|son|en olası",
    links="ise|olarak|şudur|sorunun|bu durumda|bu nedenle",
    copulas="",
    final_copulas="",
    after="'dir|'dır|'tir|'tır|dir|dır|tir|tır|çünkü|olmalıdır|olacaktır|zira|yani",
    after_letter="şıkkı|şıkkıdır|seçeneği|seçeneğidir|olur|olarak",
    praises=(
        r"(?: (?:secenegi|sikki|secenek|sik))?(?: en)? (?:dogru|uygun)(?:dur| cevaptir| yanittir|"
        r" cevap| yanit| secenektir| secenek| olandir| olacaktir)?",
        r"(?: (?:secenegi|sikki))? (?:cevaptir|yanittir)",
        r" (?:secenegini|sikkini) (?:seciyorum|secerim|secmeliyiz)",
    ),
    choices="bu nedenle|dolayısıyla|sonuç olarak|o halde|yani",
    wrong=(
        "yanlış|hatalı|yanlıştır|uygun değil|doğru değil|doğru değildir|şıkkı yanlış|seçeneği yanlış|"
        "seçeneği yanlıştır|şıkkı yanlıştır|seçeneği doğru değil|şıkkı doğru değil"
    ),
    against="kontrendike|kaçının|kaçınılmalı",
    negations="değil|değildir|olamaz",
    joins="veya|ya da|ve|yahut|ile",
    corrections="hayır|pardon|bekle|aslında|düzeltme|ancak|fakat|daha doğrusu|özür",
    conclusions="bu nedenle|dolayısıyla|sonuç olarak|nihai|o halde|bu yüzden|sonuçta",
    conditions="eğer|şayet",
    exceptions="hariç|dışında|haricinde",
)

VIETNAMESE = Words(
    questions="câu hỏi",
    answers="đáp án|câu trả lời|trả lời|đáp số",
    options="lựa chọn|phương án|ý|câu|chọn|mục",
    correct="đúng|đúng nhất|chính xác|chính xác nhất|phù hợp nhất|phù hợp|cuối cùng|tốt nhất|hợp lý nhất",
    links="là|sẽ là|phải là|đúng là|cho câu hỏi này|của câu hỏi này|của tôi|do đó",
    copulas="chính là",
    final_copulas="",
    after="vì|bởi vì|bởi|nhé",
    after_letter="do|là|với",
    praises=(
        r" (?:moi )?(?:la|chinh la) (?:dap an|cau tra loi|phuong an|lua chon)"
        r"(?: (?:dung|chinh xac|phu hop|tot))?(?: nhat)?",
        r" (?:moi )?(?:la |chinh la )?(?:dung|chinh xac)(?: nhat)?",
    ),
    choices="do đó|vì vậy|vậy|vì thế|chọn|tôi chọn|nên chọn|chọn câu",
    wrong="sai|không đúng|không chính xác|không phù hợp|không phải là đáp án|không phải đáp án|là sai",
    against="chống chỉ định|tránh|ngừng",
    negations="không phải|không phải là|không|chẳng phải",
    joins="hoặc|và|hay|hoặc là",
    corrections="không,|khoan|xin lỗi|thực ra|đính chính|nhưng|tuy nhiên|thật ra|sửa lại",
    conclusions="do đó|vì vậy|vì thế|vậy|cuối cùng|tóm lại|kết luận|như vậy",
    conditions="nếu",
    exceptions="ngoại trừ|trừ|ngoài",
)

YORUBA = Words(
    questions="ìbéèrè",
    answers="ìdáhùn|ìdáhùn mi",
    options="àṣàyàn|yíyàn|lẹ́tà|àṣayàn|ìyàn",
    correct="tó tọ́|tí ó tọ́|tó tọ̀nà|tí ó tọ̀nà|tó péye|tó dára jù|tó dára jùlọ|ìkẹyìn|tòótọ́|tó yẹ",
    links="ni|náà|náà ni|jẹ́|yìí|yìí ni|sí ìbéèrè yìí|ìbéèrè náà|ìbéèrè yìí|nítorí náà",
    copulas="ni",
    final_copulas="",
    after="nítorí|nítorí pé|torí",
    after_letter="ni|tí|èyí",
    praises=(
        r" (?:ni|lo je|ni o je|je) (?:idahun|asayan|yiyan)(?: naa)?(?: (?:to to|ti o to|to tona|"
        r"ti o tona|to peye))?",
        r" (?:lo|ni o|ni) (?:to|tona)(?: ju)?",
    ),
    choices="nítorí náà|nítorínáà|mo yan|torí náà",
    wrong="kò tọ́|kò tọ̀nà|àṣìṣe|kì í ṣe|kìí ṣe|kii ṣe",
    against="yẹra",
    negations="kọ́|kì í ṣe|kìí ṣe|kò|kii ṣe",
    joins="tàbí|àti|pẹ̀lú",
    corrections="rárá|ẹ jọ̀wọ́|dúró|ṣùgbọ́n|má bínú|àtúnṣe",
    conclusions="nítorí náà|nítorínáà|torí náà|níkẹyìn|ìkẹyìn|ní ìparí",
    conditions="bí",
    exceptions="àyàfi|yàtọ̀ sí",
)

LATIN_WORDS = (ENGLISH, FRENCH, HAUSA, SPANISH, SWAHILI, TURKISH, VIETNAMESE, YORUBA)
