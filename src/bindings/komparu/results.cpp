#include "bindings.hpp"
#include "filetree/posix_fs.hpp"

namespace komparu_bindings {
namespace {

using filetree::CompareFailure;
using filetree::DiffReason;

const char* name_of(CompareFailure failure) {
    switch (failure) {
        case CompareFailure::not_found:
            return "not_found";
        case CompareFailure::unreadable:
            return "unreadable";
        case CompareFailure::archive:
            return "archive";
        case CompareFailure::bomb:
            return "bomb";
        case CompareFailure::cancelled:
            break;
    }
    return "cancelled";
}

const char* name_of(DiffReason reason) {
    switch (reason) {
        case DiffReason::content_mismatch:
            return "content_mismatch";
        case DiffReason::size_mismatch:
            return "size_mismatch";
        case DiffReason::missing:
            return "missing";
        case DiffReason::type_mismatch:
            return "type_mismatch";
        case DiffReason::read_error:
            break;
    }
    return "read_error";
}

nb::list to_list(const std::vector<std::string>& names) {
    nb::list list;
    for (const std::string& name : names) list.append(to_bytes(name));
    return list;
}

}  // namespace

std::vector<std::string> to_strings(const nb::list& list) {
    std::vector<std::string> strings;
    for (const nb::handle bytes : list) strings.push_back(to_string(nb::cast<nb::bytes>(bytes)));
    return strings;
}

std::shared_ptr<filetree::FileSystem> posix_file_system() {
    static const std::shared_ptr<filetree::FileSystem> fs = filetree::make_posix_file_system();
    return fs;
}

nb::tuple to_tuple(const filetree::CompareError& error) {
    return nb::make_tuple(name_of(error.failure()), error.error(), to_bytes(error.path()),
                          to_bytes(error.what()));
}

nb::tuple to_tuple(const filetree::Differences& differences) {
    nb::list diff;
    for (const auto& [name, reason] : differences.diff) {
        diff.append(nb::make_tuple(to_bytes(name), name_of(reason)));
    }
    nb::list errors;
    for (const auto& [name, what] : differences.errors) {
        errors.append(nb::make_tuple(to_bytes(name), to_bytes(what)));
    }
    return nb::make_tuple(diff, to_list(differences.only_left), to_list(differences.only_right),
                          errors, to_list(differences.skipped));
}

}  // namespace komparu_bindings
