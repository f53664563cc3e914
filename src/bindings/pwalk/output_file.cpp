#include "filetree/output_file.hpp"

#include "bindings.hpp"

namespace pwalk_bindings {

using filetree::OutputFile;

void bind_output_file(nb::module_& module) {
    using Unlocked = nb::call_guard<nb::gil_scoped_release>;
    nb::class_<OutputFile>(module, "OutputFile")
        .def(
            "__init__",
            [](OutputFile* self, const nb::bytes& path) {
                const std::string name = to_string(path);
                const nb::gil_scoped_release unlocked;
                new (self) OutputFile(name);
            },
            nb::arg("path"))
        .def_prop_ro("fd", &OutputFile::fd)
        .def("commit", &OutputFile::commit, Unlocked())
        .def("discard", &OutputFile::discard, Unlocked());
}

}  // namespace pwalk_bindings
