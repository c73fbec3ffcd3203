"""Two small texts to learn words from. Some words stand in the same places: king and queen, roi and prince."""

TEXTS = {
    "en": """The king sits on the throne. The queen sits on the throne.
The king wears a golden crown. The queen wears a golden crown.
The king rules the land. The queen rules the land.
The king lives in the castle. The queen lives in the castle.
The cat sleeps on the sofa. The dog sleeps on the sofa.
The cat drinks milk in the kitchen. The dog drinks water in the kitchen.
The cat runs after the mouse. The dog runs after the ball.
The cat is a small animal. The dog is a small animal.
In summer the days are long and warm. In winter the days are short and cold.
In summer we swim in the lake. In winter we skate on the lake.
The sun is warm in summer. The snow is cold in winter.
The baker bakes bread in the morning. The baker sells bread in the market.
The farmer grows apples in the garden. The farmer sells apples in the market.""",
    "fr": """Le roi est assis sur le trône. Le prince est assis sur le trône.
Le roi porte une couronne en or. Le prince porte une couronne en or.
Le roi gouverne le pays. Le prince gouverne le pays.
Le roi habite dans le château. Le prince habite dans le château.
Le chat dort sur le canapé. Le chien dort sur le canapé.
Le chat boit du lait dans la cuisine. Le chien boit de l’eau dans la cuisine.
Le chat court après la souris. Le chien court après la balle.
Le chat est un petit animal. Le chien est un petit animal.
En été les jours sont longs et chauds. En hiver les jours sont courts et froids.
En été nous nageons dans le lac. En hiver nous patinons sur le lac.
Le soleil est chaud en été. La neige est froide en hiver.
Le boulanger cuit le pain le matin. Le boulanger vend le pain au marché.
Le fermier cueille les pommes au jardin. Le fermier vend les pommes au marché.""",
}
