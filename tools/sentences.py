"""Write the text that the sample model `sentences` learns from: `python -m tools.sentences`.

A small world of animals and people, said in English and in French. What is likely there is said more often: a cat
sleeps on a sofa rather than on a roof, and when it rains nobody stays outside. A seed draws the sentences, so that
everybody gets the same file. The grammar:

    text      = sentence [sentence | pronoun rest "."]
    sentence  = clause "."
              | when "," clause "."                        in the morning one works, at night one sleeps
              | weather "," "so" clause "."                the weather decides where one is
              | clause "because" weather "."
              | subject feeling "," "so" pronoun rest "."  the feeling decides what one does; the pronoun agrees
    clause    = subject rest
    subject   = "the" [adjective] noun                     one or several; in French all of it agrees
    rest      = verb "on the" place | verb "in the" place | verb food | verb "the" noun

In French no noun begins with a vowel and "because" is "car", so that nothing is cut off (l', d', qu').
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Language = Literal["en", "fr"]
OUT = Path(__file__).parents[1] / "sample_models" / "sentences" / "sentences.txt"
N_TEXTS = 6000
SEED = 0


@dataclass(frozen=True)
class Noun:
    """A thing of this world, as both languages call one of it and several."""

    en: str
    en_plural: str
    fr: str
    fr_plural: str
    gender: Literal["m", "f"]
    pronoun: str = "it"  # of the English singular


def _nouns(table: str) -> dict[str, Noun]:
    """English, its plural, French, its plural, gender, pronoun; `-` where nobody speaks of several."""
    rows = (line.split() for line in table.strip().splitlines())
    return {row[0]: Noun(row[0], row[1], row[2], row[3], "f" if row[4] == "f" else "m", *row[5:]) for row in rows}


ANIMALS = _nouns("""
    cat cats chat chats m
    dog dogs chien chiens m
    mouse mice souris souris f
    rabbit rabbits lapin lapins m
    horse horses cheval chevaux m
    cow cows vache vaches f
    hen hens poule poules f
    duck ducks canard canards m
    frog frogs grenouille grenouilles f
    pigeon pigeons pigeon pigeons m
    owl owls hibou hiboux m
    fox foxes renard renards m
    pig pigs cochon cochons m
    goat goats chèvre chèvres f
""")
PEOPLE = _nouns("""
    boy boys garçon garçons m he
    girl girls fille filles f she
    king kings roi rois m he
    queen queens reine reines f she
    farmer farmers fermier fermiers m he
    baker bakers boulanger boulangers m he
    teacher teachers maîtresse maîtresses f she
    doctor doctors médecin médecins m he
    postman postmen facteur facteurs m he
    neighbour neighbours voisine voisines f she
""")
PLACES = _nouns("""
    mat - tapis - m
    sofa - canapé - m
    bed - lit - m
    roof - toit - m
    wall - mur - m
    chair - chaise - f
    table - table - f
    branch - branche - f
    beach - plage - f
    grass - pelouse - f
    garden - jardin - m
    kitchen - cuisine - f
    forest - forêt - f
    field - champ - m
    river - rivière - f
    lake - lac - m
    street - rue - f
    house - maison - f
    castle - château - m
    barn - grange - f
    nest - nid - m
    basket - panier - m
    snow - neige - f
""")
FOOD = _nouns("""
    milk - lait - m
    fish - poisson - m
    cheese - fromage - m
    bread - pain - m
    cake - gâteau - m
    corn - maïs - m
    hay - foin - m
    soup - soupe - f
    tea - thé - m
    juice - jus - m
    coffee - café - m
    chocolate - chocolat - m
    meat - viande - f
    salad - salade - f
""")
THINGS = _nouns("""
    ball - ballon - m
    book - livre - m
    letter - lettre - f
    moon - lune - f
    song - chanson - f
    door - porte - f
    car - voiture - f
    window - fenêtre - f
""")
NOUNS = ANIMALS | PEOPLE | PLACES | FOOD | THINGS
ON = frozenset("mat sofa bed roof wall chair table branch beach grass".split())
INSIDE = frozenset("mat sofa bed chair table kitchen house castle barn basket".split())
OUTSIDE = frozenset(PLACES) - INSIDE

VERBS = {  # of one and of several, in English and in French; {} is what agrees with the subject
    "sleeps": ("sleeps", "sleep", "dort", "dorment"),
    "sits": ("sits", "sit", "est assis{}", "sont assis{}"),
    "plays": ("plays", "play", "joue", "jouent"),
    "runs": ("runs", "run", "court", "courent"),
    "swims": ("swims", "swim", "nage", "nagent"),
    "works": ("works", "work", "travaille", "travaillent"),
    "sings": ("sings", "sing", "chante", "chantent"),
    "eats": ("eats", "eat", "mange", "mangent"),
    "drinks": ("drinks", "drink", "boit", "boivent"),
    "chases": ("chases", "chase", "poursuit", "poursuivent"),
    "watches": ("watches", "watch", "regarde", "regardent"),
    "follows": ("follows", "follow", "suit", "suivent"),
    "fears": ("fears", "fear", "craint", "craignent"),
    "barks": ("barks at", "bark at", "aboie contre", "aboient contre"),
    "helps": ("helps", "help", "aide", "aident"),
    "reads": ("reads", "read", "lit", "lisent"),
    "brings": ("brings", "bring", "apporte", "apportent"),
    "makes": ("makes", "make", "prépare", "préparent"),
    "opens": ("opens", "open", "ouvre", "ouvrent"),
}
WORLD = """
    cat sits mat 5 sofa 4 wall 3 roof 3 chair 2 table 1
    cat sleeps sofa 5 bed 4 mat 3 roof 2 basket 2 grass 1
    cat chases mouse 6 pigeon 3 ball 2 frog 1
    cat drinks milk 6
    cat eats fish 5 cheese 1 meat 2
    cat watches mouse 4 pigeon 4 window 2 moon 1
    dog sleeps mat 4 basket 4 grass 2 sofa 2 bed 1
    dog sits mat 3 grass 3 chair 1 sofa 2 beach 1
    dog barks postman 6 cat 5 fox 3 moon 3 car 3 door 2
    dog chases cat 5 ball 4 rabbit 3 car 2
    dog eats meat 6 bread 1
    dog follows boy 4 girl 4 farmer 3
    dog plays garden 4 street 2 beach 2 snow 2
    mouse eats cheese 6 corn 2 bread 2
    mouse fears cat 6 owl 4 fox 2
    mouse sleeps nest 4 barn 3 kitchen 2
    mouse runs kitchen 4 house 3 barn 2 field 2
    rabbit eats salad 6 corn 1 hay 2
    rabbit fears fox 6 dog 4 owl 2
    rabbit runs field 5 forest 4 garden 3 snow 1
    rabbit sleeps grass 3 barn 2 forest 3
    horse eats hay 6 corn 2 bread 1
    horse runs field 6 beach 2 snow 2 forest 1
    horse sleeps barn 6 field 3
    cow eats hay 6 salad 1 corn 1
    cow sleeps barn 5 field 4 grass 3
    cow watches farmer 4 car 3 dog 2
    hen eats corn 6 bread 3 salad 1
    hen sleeps nest 6 barn 4 basket 1
    hen fears fox 6 dog 3
    duck swims lake 6 river 4
    duck sits nest 4 grass 3 beach 1
    duck sleeps nest 3 grass 3 lake 2
    duck eats bread 5 salad 2 corn 2
    frog sits grass 3 wall 1 branch 2
    frog swims lake 5 river 4
    frog sings garden 3 river 3 lake 3
    frog fears duck 4 fox 1 owl 3
    pigeon sits roof 5 branch 4 wall 3 window 0
    pigeon eats bread 6 corn 4 cake 1
    pigeon sleeps roof 4 nest 4 branch 2
    owl sits branch 6 roof 2 wall 1
    owl chases mouse 6 frog 2 rabbit 1
    owl sings forest 5 barn 1
    owl watches moon 5 mouse 4
    owl sleeps branch 4 barn 4 nest 2
    fox chases hen 6 rabbit 5 duck 3 mouse 2
    fox sleeps forest 6 barn 1 field 2
    fox runs forest 6 snow 3 field 3
    fox watches hen 5 duck 3 farmer 1 moon 1
    pig eats corn 4 bread 3 salad 3 soup 2
    pig sleeps barn 6 grass 2 garden 1
    goat eats hay 4 salad 4 letter 1 bread 1
    goat sits roof 1 grass 4 wall 2
    goat runs field 5 garden 3
    boy plays garden 5 street 4 field 2 house 2 snow 2
    boy eats chocolate 4 cake 4 bread 3 soup 1
    boy drinks juice 5 milk 4
    boy sleeps bed 6 sofa 2 chair 1
    boy reads book 5 letter 1
    boy chases ball 5 pigeon 3 cat 2
    boy sits chair 4 wall 3 sofa 3 grass 2
    boy watches moon 2 car 4 horse 3
    girl plays garden 5 beach 3 house 3 snow 3
    girl eats cake 4 chocolate 4 fish 1 salad 2
    girl drinks juice 5 milk 3 tea 1
    girl sleeps bed 6 sofa 3
    girl reads book 6 letter 2
    girl sits sofa 4 chair 3 beach 2 grass 3
    girl sings garden 3 kitchen 2 street 1
    girl watches moon 4 frog 2 horse 3
    king eats cake 5 meat 4 fish 2
    king drinks tea 3 coffee 3 juice 1
    king sleeps castle 6 bed 4
    king reads letter 5 book 2
    king watches queen 4 horse 2 window 2
    queen drinks tea 6 coffee 2
    queen eats cake 5 chocolate 3 salad 2
    queen sleeps castle 5 bed 5
    queen reads letter 4 book 5
    queen sings castle 5 garden 3
    farmer works field 6 barn 4 garden 2
    farmer follows cow 4 horse 4 pig 2
    farmer brings hay 6 corn 3 milk 2
    farmer eats soup 4 bread 4 cheese 3
    farmer drinks coffee 4 milk 2
    farmer sleeps bed 5 chair 2 barn 1
    baker makes bread 6 cake 5 chocolate 1
    baker works kitchen 6
    baker eats bread 4 cake 2 cheese 2
    baker drinks coffee 6 milk 1
    baker sleeps bed 5 chair 2
    teacher reads book 6 letter 2
    teacher helps girl 5 boy 5
    teacher drinks tea 4 coffee 5
    teacher eats salad 5 soup 3 bread 2
    teacher opens door 4 window 5 book 4
    teacher sleeps sofa 4 bed 5
    doctor helps boy 4 girl 4 farmer 3 king 2 neighbour 3
    doctor drinks coffee 5 tea 2
    doctor opens door 5 letter 2 window 2
    doctor eats salad 4 fish 3 soup 2
    doctor sleeps chair 3 bed 5 sofa 2
    postman brings letter 8 book 2
    postman fears dog 8
    postman drinks coffee 4 juice 3
    postman eats bread 4 cheese 3
    postman runs street 6 garden 2
    postman opens door 5 letter 1
    neighbour watches window 2 cat 3 postman 3 car 2
    neighbour makes soup 5 tea 3 cake 3
    neighbour sings kitchen 4 garden 3
    neighbour drinks tea 5 coffee 3
    neighbour eats soup 4 cheese 3 cake 2
    neighbour sleeps sofa 4 bed 4
"""
WHEN = {  # English, French, what one does then
    "morning": ("In the morning", "Le matin", "eats drinks works sings runs opens brings makes"),
    "evening": ("In the evening", "Le soir", "plays reads sits watches drinks sings"),
    "night": ("At night", "La nuit", "sleeps chases watches fears barks"),
}
WEATHER: dict[str, tuple[str, str, frozenset[str]]] = {  # English, French, where one is then
    "rain": ("it rains", "il pleut", INSIDE),
    "cold": ("it is cold", "il fait froid", INSIDE),
    "sun": ("the sun shines", "le soleil brille", OUTSIDE),
    "heat": ("it is warm", "il fait chaud", OUTSIDE - {"snow"}),
}
FEELINGS = {  # English of one and of several, French of one and of several, what one then does
    "hungry": ("is hungry", "are hungry", "a faim", "ont faim", "eats"),
    "thirsty": ("is thirsty", "are thirsty", "a soif", "ont soif", "drinks"),
    "tired": ("is tired", "are tired", "est fatigué{}", "sont fatigué{}", "sleeps"),
    "happy": ("is happy", "are happy", "est content{}", "sont content{}", "plays sings"),
    "afraid": ("is afraid", "are afraid", "a peur", "ont peur", "runs"),
}
ADJECTIVES = {  # English, French with its four endings, whether it follows the French noun
    "little": ("little", ("petit", "petite", "petits", "petites"), False),
    "big": ("big", ("gros", "grosse", "gros", "grosses"), False),
    "tall": ("tall", ("grand", "grande", "grands", "grandes"), False),
    "black": ("black", ("noir", "noire", "noirs", "noires"), True),
    "white": ("white", ("blanc", "blanche", "blancs", "blanches"), True),
}
OF_ANIMALS, OF_PEOPLE = ("little", "big", "black", "white"), ("little", "tall")


@dataclass(frozen=True)
class Fact:
    """What somebody does, and with or at what, how often each."""

    who: str
    verb: str
    objects: Mapping[str, int]

    def at(self, places: frozenset[str]) -> Fact:
        """The same at some places alone."""
        return Fact(self.who, self.verb, {thing: n for thing, n in self.objects.items() if thing in places})


def facts() -> tuple[Fact, ...]:
    """WORLD, line by line."""
    rows = (line.split() for line in WORLD.strip().splitlines())
    return tuple(
        Fact(who, verb, {o: int(n) for o, n in zip(rest[::2], rest[1::2], strict=True) if int(n)})
        for who, verb, *rest in rows
    )


@dataclass(frozen=True)
class Subject:
    """Somebody, or several of a kind, in one of the languages."""

    noun: Noun
    plural: bool
    adjective: str
    language: Language

    def __str__(self) -> str:
        if self.language == "en":
            noun = self.noun.en_plural if self.plural else self.noun.en
            return " ".join(("the", *((ADJECTIVES[self.adjective][0],) if self.adjective else ()), noun))
        words = [self.noun.fr_plural if self.plural else self.noun.fr]
        if self.adjective:
            _, forms, follows = ADJECTIVES[self.adjective]
            words.insert(1 if follows else 0, forms[2 * self.plural + (self.noun.gender == "f")])
        return " ".join((article(self.noun, self.plural), *words))

    @property
    def pronoun(self) -> str:
        if self.language == "en":
            return "they" if self.plural else self.noun.pronoun
        return ("elle" if self.noun.gender == "f" else "il") + "s" * self.plural

    def agrees(self, one: str, several: str) -> str:
        """A verb, and the French ending of what agrees with the subject."""
        ending = "e" * (self.noun.gender == "f") + "s" * self.plural
        found = (several if self.plural else one).replace("{}", ending)
        return found.replace("assiss", "assis")  # the masculine ends in s already


def article(noun: Noun, plural: bool = False) -> str:
    return "les" if plural else "la" if noun.gender == "f" else "le"


def predicate(subject: Subject, verb: str, thing: str) -> str:
    """The verb and what stands behind it."""
    forms, noun = VERBS[verb], NOUNS[thing]
    if subject.language == "en":
        behind = noun.en if thing in FOOD else f"{_place(thing, 'on ', 'in ')}the {noun.en}"
        return f"{subject.agrees(*forms[:2])} {behind}"
    if thing in FOOD:
        behind = f"{'de la' if noun.gender == 'f' else 'du'} {noun.fr}"
    else:
        behind = f"{_place(thing, 'sur ', 'dans ')}{article(noun)} {noun.fr}"
    return f"{subject.agrees(*forms[2:])} {behind}"


def _place(thing: str, on: str, within: str) -> str:
    return "" if thing not in PLACES else on if thing in ON else within


def texts(n: int = N_TEXTS, seed: int = SEED) -> Iterator[str]:
    """Texts of one or two sentences, one by one; about as many in each language."""
    world = World(random.Random(seed), facts())
    for _ in range(n):
        yield world.text()


@dataclass(frozen=True)
class World:
    """The facts, and the random numbers that choose among them."""

    drawn: random.Random
    facts: tuple[Fact, ...]

    def text(self) -> str:
        """One sentence, or two of the same language: the second often goes on about the same subject."""
        language: Language = "en" if self.drawn.random() < 0.5 else "fr"
        first, subject = self.sentence(language)
        if self.drawn.random() < 0.7:
            return first
        if self.drawn.random() < 0.4:
            return f"{first} {self.sentence(language)[0]}"
        fact = self.drawn.choice([one for one in self.facts if NOUNS[one.who] == subject.noun])
        return f"{first} {_as_sentence(f'{subject.pronoun} {self.predicate(subject, fact)}')}"

    def sentence(self, language: Language) -> tuple[str, Subject]:
        kinds = (self.plain, self.timed, self.by_weather, self.because, self.by_feeling)
        said, subject = self.drawn.choices(kinds, (8, 2, 3, 2, 4))[0](language)
        return _as_sentence(said), subject

    def plain(self, language: Language) -> tuple[str, Subject]:
        """The cat sleeps on the sofa."""
        return self.clause(self.drawn.choice(self.facts), language)

    def timed(self, language: Language) -> tuple[str, Subject]:
        """At night, the owl watches the moon."""
        when = self.drawn.choice(tuple(WHEN.values()))
        said, subject = self.clause(self.fact(lambda one: one.verb in when[2].split()), language)
        return f"{when[0 if language == 'en' else 1]}, {said}", subject

    def by_weather(self, language: Language) -> tuple[str, Subject]:
        """It rains, so the dog sleeps on the mat."""
        weather, (said, subject) = self.in_weather(language)
        return f"{weather}, {'so' if language == 'en' else 'donc'} {said}", subject

    def because(self, language: Language) -> tuple[str, Subject]:
        """The dog sleeps on the mat because it rains."""
        weather, (said, subject) = self.in_weather(language)
        return f"{said} {'because' if language == 'en' else 'car'} {weather}", subject

    def in_weather(self, language: Language) -> tuple[str, tuple[str, Subject]]:
        """A kind of weather, and what somebody does where one then is."""
        weather = self.drawn.choice(tuple(WEATHER.values()))
        fact = self.drawn.choice([fact for one in self.facts if (fact := one.at(weather[2])).objects])
        return weather[0] if language == "en" else weather[1], self.clause(fact, language)

    def by_feeling(self, language: Language) -> tuple[str, Subject]:
        """The mouse is hungry, so it eats cheese."""
        feeling = self.drawn.choice(tuple(FEELINGS.values()))
        fact = self.fact(lambda one: one.verb in feeling[4].split())
        subject = self.subject(fact.who, language)
        feels = subject.agrees(*(feeling[:2] if language == "en" else feeling[2:4]))
        so = "so" if language == "en" else "donc"
        return f"{subject} {feels}, {so} {subject.pronoun} {self.predicate(subject, fact)}", subject

    def clause(self, fact: Fact, language: Language) -> tuple[str, Subject]:
        subject = self.subject(fact.who, language)
        return f"{subject} {self.predicate(subject, fact)}", subject

    def predicate(self, subject: Subject, fact: Fact) -> str:
        (thing,) = self.drawn.choices(tuple(fact.objects), tuple(fact.objects.values()))
        return predicate(subject, fact.verb, thing)

    def subject(self, who: str, language: Language) -> Subject:
        adjective = self.drawn.choice(OF_ANIMALS if who in ANIMALS else OF_PEOPLE)
        return Subject(NOUNS[who], self.drawn.random() < 0.25, adjective * (self.drawn.random() < 0.15), language)

    def fact(self, fits: Callable[[Fact], bool]) -> Fact:
        return self.drawn.choice([one for one in self.facts if fits(one)])


def _as_sentence(said: str) -> str:
    return f"{said[0].upper()}{said[1:]}."


if __name__ == "__main__":
    OUT.write_text("\n".join(texts()) + "\n", encoding="utf-8")
    print(f"{N_TEXTS} sentences in {OUT.name}", file=sys.stderr)
