"""Absorbed dose for radioligand therapy in 3D Slicer: volumes of the scene to a dosegrid server, the dose back.

Nothing is installed and nothing heavy is imported until a button is pressed. What is done is in `DosegridLogic`;
`DosegridWidget` is the panel. A computation runs on a thread of its own; what it says comes to the panel by a queue.
"""

import queue
import threading

import slicer
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleWidget,
)

#: What is installed when the first button is pressed.
PACKAGE = "dosegrid"
#: Isodoses, as parts of the maximum, and their colours.
ISODOSES = ((0.9, (1.0, 0.2, 0.1)), (0.5, (1.0, 0.7, 0.1)), (0.2, (0.2, 0.6, 1.0)))
UNITS = ("bq-per-ml", "kbq-per-ml", "bq", "mbq", "bq-s", "mbq-h")
METHODS = ("monte-carlo", "kernel", "local")
#: How often the panel looks for news, in ms.
POLL_MS = 100
DISCLAIMER = "A research tool, not a medical device."


class Dosegrid(ScriptedLoadableModule):
    """What the list of modules says."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "Dosegrid"
        parent.categories = ["Nuclear Medicine"]
        parent.contributors = ["The dosegrid authors"]
        parent.helpText = (
            "Absorbed dose of a radionuclide, voxel by voxel, from an activity map and a CT. " + DISCLAIMER
        )
        parent.acknowledgementText = ""


class Run:
    """A computation, or the test of a connection, on its thread."""

    def __init__(self, cancel):
        self.cancel = cancel
        #: ("progress", Progress), then one of ("done", Result), ("tested", text) and ("failed", exception).
        self.news = queue.Queue()


class DosegridLogic(ScriptedLoadableModuleLogic):
    """What the panel does, without the panel."""

    def client(self, server=None, token=None):
        """A client; of a server of this machine if none is given.

        :raises ImportError: if the package cannot be installed
        """
        try:
            import dosegrid
        except ImportError:
            slicer.util.pip_install(PACKAGE)
            import dosegrid
        return dosegrid.Client(server or None, token=token or None)

    def test_connection(self, server=None, token=None):
        """Begins to ask what is there, and comes back at once: a server may take long to answer, or to start.

        :raises ImportError: if the package cannot be installed
        """
        client = self.client(server, token)
        run = Run(None)

        def work():
            try:
                info = client.info(timeout=20)
                run.news.put(("tested", f"version {info['version']} computes on {info['device']['name']}"))
            except Exception as error:  # noqa: BLE001  (whatever it is, a person reads it)
                run.news.put(("tested", f"No connection: {error}"))
            finally:
                client.close()

        threading.Thread(target=work, daemon=True).start()
        return run

    def volume(self, node):
        """A volume of the scene, at its place in the patient.

        :raises ValueError: if a transform moves it in the scene, which its own matrix does not know
        """
        import vtk

        import dosegrid

        refuse_transformed(node)
        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        affine = [[matrix.GetElement(row, column) for column in range(4)] for row in range(4)]
        return dosegrid.Volume.of_array(slicer.util.arrayFromVolume(node), affine_mm=affine, axes="zyx")

    def labels(self, node, like):
        """Organs of a segmentation on the voxels of a volume, or a label map as it is: arguments of `compute`, and
        names by label.
        """
        if not node.IsA("vtkMRMLSegmentationNode"):
            return {"labels": self.volume(node)}, {}
        import numpy

        import dosegrid

        refuse_transformed(node)
        segmentation = node.GetSegmentation()
        place = self.volume(like)
        masks, names = {}, {}
        taken, is_shared = numpy.zeros(place.grid.shape[::-1], bool), False
        for number in range(segmentation.GetNumberOfSegments()):
            identifier = segmentation.GetNthSegmentID(number)
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, identifier, like) > 0
            is_shared = is_shared or bool((taken & mask).any())
            taken |= mask
            masks[number + 1] = mask
            names[number + 1] = segmentation.GetNthSegment(number).GetName()
        if not masks:
            raise ValueError("the segmentation has no segments")
        if is_shared:
            # A voxel has one label. Segments that share voxels go each in a mask, so that none loses any.
            return {"organs": {label: dosegrid.Volume.like(mask, place) for label, mask in masks.items()}}, names
        labels = numpy.zeros(place.grid.shape[::-1], numpy.uint16)
        for label, mask in masks.items():
            labels[mask] = label
        return {"labels": dosegrid.Volume.like(labels, place)}, names

    def options(self, activity, ct, organs, chosen):
        """The arguments of `compute`; a chosen text that is empty is left out.

        Read on the main thread: the scene is not for others.
        """
        options = {name: value for name, value in chosen.items() if value not in ("", None)}
        options["ct"] = self.volume(ct)
        options["dose_grid"] = "activity"
        if organs is not None:
            found, names = self.labels(organs, activity)
            options.update(found)
            if names:
                options["label_names"] = names
        return self.volume(activity), options

    def start(self, client, activity, options):
        """Begins a computation and comes back at once."""
        import dosegrid

        run = Run(dosegrid.Cancel())

        def work():
            try:
                tell = lambda progress: run.news.put(("progress", progress))  # noqa: E731
                run.news.put(("done", client.compute(activity, progress=tell, cancel=run.cancel, **options)))
            except Exception as error:  # noqa: BLE001  (the panel says what it is)
                run.news.put(("failed", error))
            finally:
                client.close()

        threading.Thread(target=work, daemon=True).start()
        return run

    def show(self, result, background=None):
        """The dose in the scene: a volume with colours over the CT, and a surface for each isodose."""
        import vtk

        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Dose [Gy]")
        matrix = vtk.vtkMatrix4x4()
        for row in range(4):
            for column in range(4):
                matrix.SetElement(row, column, float(result.dose.grid.matrix[row][column]))
        node.SetIJKToRASMatrix(matrix)
        slicer.util.updateVolumeFromArray(node, result.dose.gy)
        top = float(result.dose.gy.max())
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeInferno")
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(0.0, top)
        display.SetLowerThreshold(0.02 * top)
        display.ApplyThresholdOn()
        slicer.util.setSliceViewerLayers(background=background, foreground=node, foregroundOpacity=0.5)
        if top > 0:
            for part, colour in ISODOSES:
                self.isodose(node, matrix, part * top, colour)
        return node

    def isodose(self, node, matrix, gray, colour):
        """A surface of one dose."""
        import vtk

        surface = vtk.vtkFlyingEdges3D()
        surface.SetInputData(node.GetImageData())
        surface.SetValue(0, gray)
        place = vtk.vtkTransform()
        place.SetMatrix(matrix)
        moved = vtk.vtkTransformPolyDataFilter()
        moved.SetInputConnection(surface.GetOutputPort())
        moved.SetTransform(place)
        moved.Update()
        model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", f"Isodose {gray:.3g} Gy")
        model.SetAndObservePolyData(moved.GetOutput())
        model.CreateDefaultDisplayNodes()
        display = model.GetDisplayNode()
        display.SetColor(*colour)
        display.SetOpacity(0.4)
        display.SetVisibility2D(True)
        return model


def refuse_transformed(node):
    """Refuses what a transform of the scene moves: its dose would lie elsewhere than what is seen.

    :raises ValueError: says what to do
    """
    if node.GetParentTransformNode() is not None:
        raise ValueError(
            f"{node.GetName()} is under the transform {node.GetParentTransformNode().GetName()}: harden it first "
            "(Data, a right click on its transform, Harden transform)"
        )


def describe(error):
    """What a person reads of an error: a line for each fault."""
    fields = getattr(error, "fields", ())
    return "\n".join(str(field) for field in fields) or str(error) or type(error).__name__


class DosegridWidget(ScriptedLoadableModuleWidget):
    """The panel."""

    def setup(self):
        import qt

        ScriptedLoadableModuleWidget.setup(self)
        self.logic = DosegridLogic()
        self.run = self.background = None
        form = qt.QFormLayout()
        self.activity = self._volumes(["vtkMRMLScalarVolumeNode"], False)
        self.ct = self._volumes(["vtkMRMLScalarVolumeNode"], False)
        self.organs = self._volumes(["vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode"], True)
        self.unit, self.method = qt.QComboBox(), qt.QComboBox()
        self.unit.addItems(list(UNITS))
        self.method.addItems(list(METHODS))
        self.nuclide, self.half_life = qt.QLineEdit("Lu-177"), qt.QLineEdit("50h")
        self.server, self.token = qt.QLineEdit(""), qt.QLineEdit("")
        self.server.setPlaceholderText("none: a server is started on this machine")
        self.token.setEchoMode(qt.QLineEdit.Password)
        rows = [
            ("Activity", self.activity),
            ("CT [HU]", self.ct),
            ("Organs", self.organs),
            ("Nuclide", self.nuclide),
            ("Unit of the activity", self.unit),
            ("Effective half-life", self.half_life),
            ("Method", self.method),
            ("Server", self.server),
            ("Token", self.token),
        ]
        for name, field in rows:
            form.addRow(name, field)
        self.test, self.compute, self.cancel = (
            qt.QPushButton(text) for text in ("Test connection", "Compute", "Cancel")
        )
        self.test.clicked.connect(self.onTest)
        self.compute.clicked.connect(self.onCompute)
        self.cancel.clicked.connect(self.onCancel)
        self.bar, self.said = qt.QProgressBar(), qt.QLabel(DISCLAIMER)
        self.said.setWordWrap(True)
        for field in (self.test, self.compute, self.cancel, self.bar, self.said):
            form.addRow(field)
        self.layout.addLayout(form)
        self.layout.addStretch(1)
        self.timer = qt.QTimer()
        self.timer.setInterval(POLL_MS)
        self.timer.timeout.connect(self.onNews)
        self.enable()

    def _volumes(self, classes, may_be_none):
        box = slicer.qMRMLNodeComboBox()
        box.nodeTypes = classes
        box.noneEnabled = may_be_none
        box.addEnabled = box.removeEnabled = False
        box.setMRMLScene(slicer.mrmlScene)
        return box

    def enable(self):
        """A run is cancelled, or begun: never both."""
        self.test.setEnabled(self.run is None)
        self.compute.setEnabled(self.run is None)
        self.cancel.setEnabled(self.run is not None and self.run.cancel is not None)

    def onTest(self):
        try:
            self.begin(self.logic.test_connection(self.server.text, self.token.text), "asking …")
        except Exception as error:  # noqa: BLE001  (the panel says what it is)
            self.said.setText(f"No connection: {describe(error)}")

    def begin(self, run, said):
        """Listens to a thread."""
        self.run = run
        self.said.setText(said)
        self.timer.start()
        self.enable()

    def onCompute(self):
        activity, ct = self.activity.currentNode(), self.ct.currentNode()
        if activity is None or ct is None:
            self.said.setText("Choose an activity map and a CT.")
            return
        is_at_moment = not self.unit.currentText.endswith(("-s", "-h"))
        chosen = {
            "nuclide": self.nuclide.text,
            "unit": self.unit.currentText,
            "effective_half_life": self.half_life.text if is_at_moment else "",
            "method": self.method.currentText,
        }
        try:
            client = self.logic.client(self.server.text, self.token.text)
            volume, options = self.logic.options(activity, ct, self.organs.currentNode(), chosen)
            self.background = ct
            self.begin(self.logic.start(client, volume, options), "begun")
        except Exception as error:  # noqa: BLE001  (the panel says what it is)
            self.said.setText(describe(error))

    def onCancel(self):
        if self.run is not None and self.run.cancel is not None:
            self.run.cancel.cancel()

    def onNews(self):
        """Shows what the thread has said."""
        while self.run is not None:
            try:
                kind, what = self.run.news.get_nowait()
            except queue.Empty:
                return
            if kind == "progress":
                self.bar.setValue(int(100 * what.fraction))
                self.said.setText(str(what))
                continue
            self.run = None
            self.timer.stop()
            self.enable()
            if kind == "failed":
                self.said.setText(describe(what))
            elif kind == "tested":
                self.said.setText(what)
            else:
                # The CT that it was computed with: another may have been chosen since.
                self.logic.show(what, self.background)
                lines = [f"{organ.name}: {organ.mean_by_mass_gy:.4g} Gy" for organ in _with_dose(what)]
                self.said.setText("\n".join([*lines, *map(str, what.warnings), DISCLAIMER]))

    def cleanup(self):
        self.onCancel()
        # The panel goes: nothing may be shown in it any more.
        self.timer.stop()
        self.run = None


def _with_dose(result):
    return [organ for organ in result.organs.values() if organ.mean_by_mass_gy is not None]
