"""Run by the Python of `sam_tools`: a SAM template in, the CloudFormation template it becomes out.

    python sam_translation.py template.yaml > template.json

Local code is named as `sam package` would name it after the upload. Exits 1 with the translator's
own words when it refuses.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

UPLOADED = "s3://bucket/uploaded"
PUSHED = "123456789012.dkr.ecr.us-east-1.amazonaws.com/function:latest"


def packaged(template: dict[str, Any]) -> dict[str, Any]:
    """The template after `sam package`: its local files are uploaded, its images pushed."""
    in_globals = template.get("Globals", {}).get("Function", {})
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "ContentUri"):
            if isinstance(properties.get(name), str):
                properties[name] = UPLOADED
        if resource["Type"] == "AWS::Serverless::Function":
            everything = {**in_globals, **properties}
            if everything.get("PackageType") == "Image":
                properties.setdefault("ImageUri", PUSHED)
    if "CodeUri" in in_globals:
        in_globals["CodeUri"] = UPLOADED
    return template


def main(path: str) -> None:
    template = packaged(yaml_parse(Path(path).read_text()))
    try:
        translated = Translator({}, Parser()).translate(template, {"AWS::Region": "us-east-1"})
    except InvalidDocumentException as refusal:
        sys.exit("\n".join([refusal.message, *(cause.message for cause in refusal.causes)]))
    json.dump(translated, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
