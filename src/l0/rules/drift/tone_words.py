"""Words that belong to only one register, in English, German and Spanish."""

from __future__ import annotations

from .phrases import words

FORMAL = words(
    "hereby herein thereof therein thereto hereinafter hereunder aforementioned aforesaid furthermore moreover"
    " consequently accordingly nevertheless nonetheless notwithstanding subsequently pursuant therefore thus"
    " hence shall whereas henceforth pertaining endeavour endeavours endeavor procure deemed enclosed sincerely"
    " gratitude kindly respectively anticipated latter undersigned requisite expenditures expenditure"
    " reimbursement remuneration commence ascertain constitutes pertains forthwith whereby wherein thereafter"
    " therewith herewith stipulated applicants applicant claimant respondent regulations provisions compliance"
    " exemplifies accordance hiermit hierzu hiergegen ferner gemäß sodann demzufolge demnach somit folglich"
    " gleichwohl etwaige etwaigen sämtliche sämtlichen vorgenannten genannten derselben desselben diesbezüglich"
    " bezüglich hinsichtlich seitens mithin anbei erachten zwecks binnen obliegt verpflichtet nachfolgend"
    " vorliegende vorliegenden geehrte geehrter einzureichen vorzulegen anzufordern berücksichtigt"
    " unterzeichner erstattung vorbehaltlich abzuschließen indes überdies infolge mittels unverzüglich"
    " jeweiligen dergestalt wonach hierbei hierdurch beziehungsweise betreffend unterliegt zuständigen erfolgt"
    " asimismo conforme consiguiente seguidamente mencionada mencionadas mencionado mencionados dicha dicho"
    " dichos dichas usted ustedes atentamente estimado estimada adjunto rogamos remitimos comunicamos deberá"
    " deberán cabrá vigente vigentes mediante obstante cláusula agradecemos efectuará solicitudes presentarán"
    " admitirán reembolso firmante anterioridad seriada pertinente procederá procedimiento dispuesto"
    " solicitante realizará remitirse justificarse"
)
CASUAL = words(
    "lol omg btw dude bro yeah yep nope gonna wanna gotta gimme kinda sorta haha hahaha hey yo guys buddy mate"
    " awesome cool crazy insane totally stuff thingy meh wow damn whatever huh dumb idiot chill boom ok okay"
    " biggie folks freaking freakin sweet y'all yall nah yup hmm ugh oops vibes epic lemme dunno cuz coz tbh"
    " imo fyi hell sucks suck awful gosh jeez anyways thx pls plz blah yikes woah whoa yay oof ey boah krass"
    " krasse mega geil echt halt naja tja leute kumpel mist blöd irre zack autsch nix kram bock chillen kannste"
    " du dich dein deine eh quatsch dalli bulli schnappen euch jungs mädels läuft digga moin servus tschüss"
    " spitze prima ach hui uff puh nö nee dufte scheiß verdammt kriegst haste biste isses gibts spinnt ruckzuck"
    " tío tía colega jaja jajaja mola molar flipa flipar flipas guay tranqui birra oye bah uf buah macho pasada"
    " alucinas vale venga bichos chisme pillas pilla pillado pillamos rollo pastón genial chavales caña furgo"
    " hala uy jolín joder mogollón majo porfa finde bocatas hospi currar quedamos"
)
NOMINAL = (
    *("tion", "tions", "ment", "ments", "ance", "ence", "ity", "ities"),
    *("ung", "ungen", "keit", "heit", "schaft", "ierung"),
    *("ción", "ciones", "miento", "mientos", "idad", "idades", "encia", "ancia"),
)
"""Endings of long nouns that are typical of formal writing."""
