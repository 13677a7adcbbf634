"""What the pages say around the chapters."""

from __future__ import annotations

from labhelpers.i18n import Language

TITLE = "Patroni Workshop"
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "name": "English",
        "lead": "PostgreSQL high availability on a real cluster: what seven machines did, and how to read it.",
        "reading": "This is the reading edition of the course; its outputs come from a real cluster. To do all of it "
        "yourself, clone the course and type ./workshop start.",
        "contents": "Contents",
        "chapters": "Chapters",
        "minutes": "min",
        "skip": "Skip to the text",
        "search": "Search the book",
        "none": "Nothing found",
        "found": "places",
        "theme": "Light or dark",
        "previous": "Previous",
        "next": "Next",
        "pages": "Previous and next chapter",
        "copy": "Copy",
        "copied": "Copied",
        "all": "Show all",
        "less": "Show less",
        "link": "Link to “{}”",
        "source": "Show the cell",
        "table": "Table",
        "there": "The same place in English",
        "executed": "Outputs of",
        "unexecuted": "This chapter was not executed for this edition: its cells stand here without their outputs.",
        "stopped": "The run that this chapter comes from did not come to its end; some cells have no outputs.",
        "unexecuted_short": "without outputs",
        "stopped_short": "in part",
    },
    "fr": {
        "name": "Français",
        "lead": "La haute disponibilité de PostgreSQL sur un agrégat réel : ce que sept machines ont fait, et comment "
        "le lire.",
        "reading": "Voici l'édition à lire du cours ; ses sorties viennent d'un agrégat réel. Pour tout faire "
        "vous-même, clonez le cours et tapez ./workshop start.",
        "contents": "Sommaire",
        "chapters": "Chapitres",
        "minutes": "min",
        "skip": "Aller au texte",
        "search": "Chercher dans le livre",
        "none": "Rien trouvé",
        "found": "passages",
        "theme": "Clair ou sombre",
        "previous": "Précédent",
        "next": "Suivant",
        "pages": "Chapitres précédent et suivant",
        "copy": "Copier",
        "copied": "Copié",
        "all": "Tout voir",
        "less": "Replier",
        "link": "Lien vers « {} »",
        "source": "Voir la cellule",
        "table": "Tableau",
        "there": "Le même endroit en français",
        "executed": "Sorties du",
        "unexecuted": "Ce chapitre n'a pas été exécuté pour cette édition : ses cellules sont ici sans leurs sorties.",
        "stopped": "L'exécution dont vient ce chapitre n'est pas allée à son terme ; des cellules sont sans sorties.",
        "unexecuted_short": "sans sorties",
        "stopped_short": "en partie",
    },
}
