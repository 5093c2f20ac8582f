"""The SAM templates of the examples, judged by AWS's own tools: cfn-lint and the SAM translator."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.peers import REPOSITORY
from tests.support.sam_tools import SamTools

TEMPLATES = sorted((REPOSITORY / "examples").glob("*/template.yaml"))
TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      Runtime: python3.13
"""

pytestmark = pytest.mark.timeout(360)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.parent.name)
def test_the_template_of_an_example(sam_tools: SamTools, template: Path) -> None:
    """cfn-lint has nothing to say, and the SAM translator makes functions of it."""
    assert sam_tools.complaints(template) == []
    resources = sam_tools.translated(template)["Resources"]
    assert "AWS::Lambda::Function" in [resource["Type"] for resource in resources.values()]


@pytest.mark.parametrize(
    ("properties", "complaint"),
    [
        ("      CodeUri: .\n      TimeOut: 3\n", "'TimeOut' was unexpected"),
        ("      CodeUri: .\n      Timeout: 901\n", "901 is greater than the maximum of 900"),
        ("      Timeout: 3\n", "Only one of 'InlineCode' or 'CodeUri' can be set"),
    ],
    ids=["property", "value", "code"],
)
def test_the_tools_find_what_is_wrong(
    sam_tools: SamTools, tmp_path: Path, properties: str, complaint: str
) -> None:
    """An unknown property, a value out of range and a function without code are named."""
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE + properties)
    assert complaint in "\n".join(sam_tools.complaints(template))
