#!/usr/bin/env python3
"""What the stages of the GPU engine become: bytes of SPIR-V; by Mesa's compiler for AMD, registers and instructions.

    SHADER_FOLDER=DIR cargo test --release every_stage_is_valid_spirv
    python benches/stages.py DIR [DIR_BEFORE]

The compiler needs no hardware: RADV_FORCE_FAMILY makes a device that only compiles (Debian: mesa-vulkan-drivers;
PyPI: vulkan). Without it, only the sizes are printed. The figures say nothing of memory or of lanes that wait.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

FAMILY = "navi21"
ICD = "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json"
COLUMNS = ["SGPRs", "VGPRs", "Spilled VGPRs", "Instructions", "Branches", "Latency"]


def compile_alone(path: Path) -> None:
    """Makes a pipeline of one stage; the driver prints its figures. In a process of its own."""
    import vulkan as vk

    info = vk.VkApplicationInfo(apiVersion=vk.VK_MAKE_VERSION(1, 1, 0))
    instance = vk.vkCreateInstance(vk.VkInstanceCreateInfo(pApplicationInfo=info), None)
    adapter = vk.vkEnumeratePhysicalDevices(instance)[0]
    queue = vk.VkDeviceQueueCreateInfo(queueFamilyIndex=0, queueCount=1, pQueuePriorities=[1.0])
    device = vk.vkCreateDevice(adapter, vk.VkDeviceCreateInfo(pQueueCreateInfos=[queue]), None)
    code = path.read_bytes()
    bindings = []
    for slot, kind in slots(code):
        bindings.append(
            vk.VkDescriptorSetLayoutBinding(
                binding=slot,
                descriptorType=kind,
                descriptorCount=1,
                stageFlags=vk.VK_SHADER_STAGE_COMPUTE_BIT,
            )
        )
    layout = vk.vkCreateDescriptorSetLayout(device, vk.VkDescriptorSetLayoutCreateInfo(pBindings=bindings), None)
    pipeline_layout = vk.vkCreatePipelineLayout(device, vk.VkPipelineLayoutCreateInfo(pSetLayouts=[layout]), None)
    module = vk.vkCreateShaderModule(device, vk.VkShaderModuleCreateInfo(codeSize=len(code), pCode=code), None)
    stage = vk.VkPipelineShaderStageCreateInfo(stage=vk.VK_SHADER_STAGE_COMPUTE_BIT, module=module, pName="main")
    pipeline = vk.VkComputePipelineCreateInfo(stage=stage, layout=pipeline_layout)
    vk.vkCreateComputePipelines(device, None, 1, [pipeline], None)
    sys.stdout.flush()
    os._exit(0)  # the device that is none cannot be destroyed


def slots(code: bytes):
    """The bindings of a module: slot and kind, 6 for uniforms and 7 for storage."""
    words = memoryview(code).cast("I")
    slot_of, storage = {}, {}
    at = 5
    while at < len(words):
        length, operation = words[at] >> 16, words[at] & 0xFFFF
        if operation == 71 and words[at + 2] == 33:  # OpDecorate Binding
            slot_of[words[at + 1]] = words[at + 3]
        if operation == 59:  # OpVariable
            storage[words[at + 2]] = words[at + 3]
        at += length
    return [(slot, 6 if storage[variable] == 2 else 7) for variable, slot in slot_of.items()]


def figures(path: Path) -> dict:
    """What the driver says of a stage; nothing without the driver."""
    environment = dict(os.environ, VK_ICD_FILENAMES=ICD, RADV_FORCE_FAMILY=FAMILY, RADV_DEBUG="shaderstats,nocache")
    run = subprocess.run(
        [sys.executable, __file__, "--alone", str(path)], env=environment, capture_output=True, text=True, check=False
    )
    found = re.findall(r"^\s*([A-Z][A-Za-z ()]*?): *(\d+)", run.stdout + run.stderr, re.M)
    return {name: int(number) for name, number in found}


def main() -> None:
    folders = [Path(folder) for folder in sys.argv[1:3]]
    if not folders:
        sys.exit(__doc__)
    print("| stage | SPIR-V [bytes] | " + " | ".join(COLUMNS) + " |")
    print("|---" * (2 + len(COLUMNS)) + "|")
    for file in sorted(folders[0].glob("*.spv")):
        versions = [folder / file.name for folder in reversed(folders) if (folder / file.name).exists()]
        of_versions = [figures(version) for version in versions]
        sizes = " → ".join(str(version.stat().st_size) for version in versions)
        cells = [" → ".join(str(found.get(column, "–")) for found in of_versions) for column in COLUMNS]
        print(f"| `{file.stem}` | {sizes} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:
        compile_alone(Path(sys.argv[2]))
    else:
        main()
