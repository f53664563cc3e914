#include <nanobind/nanobind.h>

NB_MODULE(_core, module) {
    module.doc() = "The core of komparu.";
    module.attr("__version__") = FILETREE_VERSION;
}
